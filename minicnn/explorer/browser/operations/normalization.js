// Batch, group and layer normalisation: numbers minus their mean, divided by their standard deviation.
//
// `options.same` says which numbers are normalised together, with one mean and one standard deviation: those that agree
// in floor(index[axis] / size) for all of its [axis, size]. In batch norm, these are the numbers of a channel.

import { shown } from "../numbers.js";
import { elementwise, number, penalty, plain, product } from "./products.js";

/** The number of the group of numbers that the element at an index is normalised with. */
function groupAt(step, index) {
  return step.options.same.reduce(
    (group, [axis, size]) => group * (step.arrays.x.shape[axis] / size) + Math.floor(index[axis] / size),
    0,
  );
}

/** Everything about the element at an index: x̂ is computed as in the textbook. */
function normalized(step, index) {
  const { x, mean, inverse_std, gamma, beta } = step.arrays;
  const [group, k] = [groupAt(step, index), index[step.options.axis]];
  const inverse = inverse_std.data[group];
  return {
    k,
    mean: mean.data[group],
    inverse,
    gamma: gamma ? gamma.data[k] : 1,
    beta: beta ? beta.data[k] : 0,
    hat: (x.get(index) - mean.data[group]) * inverse,
  };
}

/** All indices of x that agree with an index in floor(index[axis] / size) for all of these [axis, size]. */
function indicesLike(step, index, same) {
  const sizes = new Map(same);
  const ranges = step.arrays.x.shape.map((length, axis) => {
    const size = sizes.get(axis) ?? length;
    const start = sizes.has(axis) ? Math.floor(index[axis] / size) * size : 0;
    return Array.from({ length: size }, (_, k) => start + k);
  });
  return ranges.reduce((indices, range) => indices.flatMap((before) => range.map((at) => [...before, at])), [[]]);
}

/** The indices of the numbers that have the same gamma and beta. */
function ofChannel(step, k) {
  const { axis } = step.options;
  return indicesLike(step, { [axis]: k }, [[axis, 1]]);
}

/** Whether all numbers of a group are multiplied by the same gamma, as in batch norm. */
const hasOneGamma = (step) => step.options.same.some(([axis, size]) => axis === step.options.axis && size === 1);

const NORMALIZATIONS = {
  BatchNormalization: "Gives every channel mean 0 and variance 1 over the batch, then a learned scale and shift.",
  GroupNormalization:
    "Gives every group of channels mean 0 and variance 1 in each sample, then a learned scale and shift for each channel.",
  LayerNormalization:
    "Gives the channels at every position mean 0 and variance 1, then a learned scale and shift for each channel.",
};

export const normalization = {
  title: (step) =>
    ({ BatchNormalization: "batch norm", GroupNormalization: "group norm", LayerNormalization: "layer norm" })[
      step.class
    ],
  about: (step) =>
    step.options.fixed ? "Scales and shifts every channel by fixed statistics." : NORMALIZATIONS[step.class],
  targets: {
    y: elementwise("forward", ["x", "y"], (step, index) => {
      const [x, y] = [plain(step, "x"), plain(step, "y")];
      const { k, mean, inverse, gamma, beta, hat } = normalized(step, index);
      return {
        terms: [
          product([number(`gamma[${k}]`, gamma), number("x̂", hat)], { part: "scaled" }),
          product([number(`beta[${k}]`, beta)], { part: "shifted" }),
        ],
        also: [x.factor(...index)],
        formula: `${y.text(...index)} = gamma[${k}] · (${x.text(...index)} − mean) / std + beta[${k}]`,
        words: `x̂ = (${shown(x.array.get(index))} − ${shown(mean)}) · ${shown(inverse)} = ${shown(hat)}: how many standard deviations x is away from the mean${step.class === "BatchNormalization" ? " of its channel" : ""}.`,
      };
    }),
    dx: {
      direction: "backward",
      views: ["dy", "x", "dx"],
      of(step, index) {
        const [dy, dx] = ["dy", "dx"].map((name) => plain(step, name));
        const { k, inverse, gamma, hat } = normalized(step, index);
        const [own, std] = [number(`gamma[${k}]`, gamma), number("1 / std", inverse)];
        const terms = [product([own, std, dy.factor(...index)], { part: "direct" })];
        if (step.options.fixed) {
          return {
            terms,
            formula: `${dx.text(...index)} = gamma[${k}] / std · ${dy.text(...index)}`,
            words: "Mean and variance are fixed numbers here, so there is only the direct path.",
          };
        }
        const members = indicesLike(step, index, step.options.same);
        let [sum, weighted] = [0, 0];
        for (const member of members) {
          const at = normalized(step, member);
          sum += at.gamma * dy.array.get(member);
          weighted += at.gamma * dy.array.get(member) * at.hat;
        }
        const M = members.length;
        const share = number("−1 / M", -1 / M);
        terms.push(product([share, std, number(`Σ gamma · ${dy.name}`, sum)], { part: "through the mean" }));
        terms.push(
          product([share, std, number("x̂", hat), number(`Σ gamma · ${dy.name} · x̂`, weighted)], {
            part: "through the variance",
          }),
        );
        const formula = hasOneGamma(step)
          ? `gamma[${k}] / std · (${dy.text(...index)} − Σ ${dy.name} / M − x̂ · Σ ${dy.name} · x̂ / M)`
          : `1 / std · (gamma[${k}] · ${dy.text(...index)} − Σ gamma · ${dy.name} / M − x̂ · Σ gamma · ${dy.name} · x̂ / M)`;
        return {
          terms,
          marked: { dy: members },
          formula: `${dx.text(...index)} = ${formula}`,
          words: `Three paths lead from this number to the loss: its own output, the mean and the variance. The last two go through all ${M.toLocaleString("en")} numbers that are normalised together, M in the formula.`,
        };
      },
    },
    dgamma: {
      direction: "backward",
      views: ["dy", "x", "dgamma"],
      of(step, index) {
        const dy = plain(step, "dy");
        const terms = ofChannel(step, index[0]).map((at) =>
          product([dy.factor(...at), number("x̂", normalized(step, at).hat)]),
        );
        return {
          terms: [...terms, ...penalty(step, "gamma", index)],
          formula: `dgamma[${index[0]}] = Σ ${dy.name} · x̂ over channel ${index[0]}`,
          words: `gamma[${index[0]}] multiplied every x̂ of its channel, so its gradient is the sum of ${dy.name} · x̂.`,
        };
      },
    },
    dbeta: {
      direction: "backward",
      views: ["dy", "dbeta"],
      of(step, index) {
        const dy = plain(step, "dy");
        return {
          terms: [
            ...ofChannel(step, index[0]).map((at) => product([dy.factor(...at)])),
            ...penalty(step, "beta", index),
          ],
          formula: `dbeta[${index[0]}] = Σ ${dy.name} over channel ${index[0]}`,
          words: `beta[${index[0]}] was added to every number of its channel, so its gradient is the sum of ${dy.name}.`,
        };
      },
    },
  },
};
