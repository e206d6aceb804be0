import { shown } from "../numbers.js";
import { elementwise, number, penalty, plain, product } from "./products.js";

/** Batch norm's numbers for the channel of an element: x̂, mean and 1 / std are computed as in the textbook. */
function channelOf(step, index) {
  const axis = (step.options.axis + index.length) % index.length;
  const k = index[axis];
  const get = (name) => step.arrays[name].data[k];
  const [mean, inverse, gamma, beta] = ["mean", "inverse_std", "gamma", "beta"].map(get);
  const { data, shape } = step.arrays.x;
  const M = data.length / shape[axis];
  const normalized = (offset) => (data[offset] - mean) * inverse;
  const members = function* () {
    const { strides } = step.arrays.x;
    for (let offset = 0; offset < data.length; offset++) {
      if (Math.floor(offset / strides[axis]) % shape[axis] === k) yield offset;
    }
  };
  return { k, mean, inverse, gamma, beta, M, normalized, members };
}

export const batchNorm = {
  title: "batch norm",
  about: (step) =>
    step.options.training ? "Gives every channel mean 0 and variance 1 over the batch, then a learned scale and shift." : "Scales and shifts every channel by fixed statistics.",
  targets: {
    y: elementwise("forward", ["x", "y"], (step, index) => {
      const [x, y] = [plain(step, "x"), plain(step, "y")];
      const { k, mean, inverse, gamma, beta, normalized } = channelOf(step, index);
      const hat = normalized(x.array.offset(index));
      return {
        terms: [product([number(`gamma[${k}]`, gamma), number("x̂", hat)], { part: "scaled" }), product([number(`beta[${k}]`, beta)], { part: "shifted" })],
        also: [x.factor(...index)],
        formula: `${y.text(...index)} = gamma[${k}] · (${x.text(...index)} − mean) / std + beta[${k}]`,
        words: `x̂ = (${shown(x.array.get(index))} − ${shown(mean)}) · ${shown(inverse)} = ${shown(hat)}: how many standard deviations x is away from the mean of its channel.`,
      };
    }),
    dx: {
      direction: "backward",
      views: ["dy", "x", "dx"],
      of(step, index) {
        const [dy, dx, x] = ["dy", "dx", "x"].map((name) => plain(step, name));
        const { k, inverse, gamma, M, normalized, members } = channelOf(step, index);
        const hat = normalized(x.array.offset(index));
        const scale = number(`gamma[${k}] / std`, gamma * inverse);
        const terms = [product([scale, dy.factor(...index)], { part: "direct" })];
        if (step.options.training) {
          let [sum, weighted] = [0, 0];
          for (const offset of members()) {
            sum += dy.array.data[offset];
            weighted += dy.array.data[offset] * normalized(offset);
          }
          terms.push(product([number("−1 / M", -1 / M), scale, number(`Σ ${dy.name}`, sum)], { part: "through the mean" }));
          terms.push(product([number("−1 / M", -1 / M), scale, number("x̂", hat), number(`Σ ${dy.name} · x̂`, weighted)], { part: "through the variance" }));
        }
        return {
          terms,
          marked: step.options.training ? { dy: members } : {},
          formula: `${dx.text(...index)} = gamma[${k}] / std · (${dy.text(...index)}${step.options.training ? ` − Σ ${dy.name} / M − x̂ · Σ ${dy.name} · x̂ / M` : ""})`,
          words: step.options.training
            ? `Three paths lead from this number to the loss: its own output, the mean of the channel and the variance of the channel. The last two go through all ${M.toLocaleString("en")} numbers of the channel, M in the formula.`
            : "Mean and variance are fixed numbers here, so there is only the direct path.",
        };
      },
    },
    dgamma: {
      direction: "backward",
      views: ["dy", "x", "dgamma"],
      of(step, index) {
        const dy = plain(step, "dy");
        const { k, normalized, members } = channelAt(step, index[0]);
        const terms = [...members()].map((offset) => product([dy.factor(...dy.array.index(offset)), number("x̂", normalized(offset))]));
        return {
          terms: [...terms, ...penalty(step, "gamma", index)],
          formula: `dgamma[${k}] = Σ ${dy.name} · x̂ over channel ${k}`,
          words: `gamma[${k}] multiplied every x̂ of its channel, so its gradient is the sum of ${dy.name} · x̂.`,
        };
      },
    },
    dbeta: {
      direction: "backward",
      views: ["dy", "dbeta"],
      of(step, index) {
        const dy = plain(step, "dy");
        const { k, members } = channelAt(step, index[0]);
        const terms = [...members()].map((offset) => product([dy.factor(...dy.array.index(offset))]));
        return {
          terms: [...terms, ...penalty(step, "beta", index)],
          formula: `dbeta[${k}] = Σ ${dy.name} over channel ${k}`,
          words: `beta[${k}] was added to every number of its channel, so its gradient is the sum of ${dy.name}.`,
        };
      },
    },
  },
};

function channelAt(step, k) {
  const index = step.arrays.x.shape.map(() => 0);
  index[(step.options.axis + index.length) % index.length] = k;
  return channelOf(step, index);
}
