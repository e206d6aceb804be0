import { total } from "../numbers.js";
import { softmaxOf } from "./activations.js";
import { elementwise, number, penalty, plain, product, rowsOf } from "./products.js";

/** The loss and its gradient with respect to the logits z: p − y. */
export const softmaxCrossentropy = {
  title: "softmax and cross-entropy",
  about: () => "Softmax makes probabilities p of the last layer's numbers. The loss is small if p is large at the right class.",
  targets: {
    p: elementwise("forward", ["z", "p"], (step, index) => softmaxOf(step, "z", "p", index)),
    loss: {
      direction: "forward",
      views: ["p", "target", "loss"],
      of(step) {
        const [z, p, target] = ["z", "p", "target"].map((name) => plain(step, name));
        const samples = z.array.data.length / z.array.shape.at(-1);
        const terms = [];
        for (const row of rowsOf(z.array)) {
          const logits = Array.from({ length: z.array.shape.at(-1) }, (_, k) => z.factor(...row, k).value);
          const largest = Math.max(...logits);
          const log = Math.log(total(logits.map((value) => Math.exp(value - largest))));
          logits.forEach((value, k) => {
            const y = target.factor(...row, k);
            if (y.value) terms.push(product([y, { ...p.factor(...row, k), name: "−log p", value: log - (value - largest) }, number(`1 / ${samples}`, 1 / samples)]));
          });
        }
        return {
          terms: [...terms, ...penalty(step, "loss", [])],
          formula: `loss = −Σ y · log p${samples > 1 ? ` / ${samples}` : ""}`,
          words: "y is 1 for the right class and 0 for the others, so only the probability of the right class counts. The loss is 0 if it is 1.",
        };
      },
    },
    dz: {
      direction: "backward",
      views: ["p", "target", "dz"],
      sign: "−",
      of(step, index) {
        const [p, target, dz] = ["p", "target", "dz"].map((name) => plain(step, name));
        const row = index.slice(0, -1);
        const samples = p.array.data.length / p.array.shape.at(-1);
        const sum = total(Array.from({ length: p.array.shape.at(-1) }, (_, k) => target.factor(...row, k).value));
        const share = samples > 1 ? [number(`1 / ${samples}`, 1 / samples)] : [];
        const all = sum === 1 ? [] : [number("Σ y", sum)];
        return {
          terms: [product([p.factor(...index), ...all, ...share]), product([number("−1", -1), target.factor(...index), ...share])],
          formula: `${dz.text(...index)} = ${samples > 1 ? "(" : ""}${p.text(...index)} − ${target.text(...index)}${samples > 1 ? `) / ${samples}` : ""}`,
          words: "The backward pass starts here. The gradient is the predicted probability minus the right answer: a class that got too much probability has a positive gradient, the right class a negative one.",
        };
      },
    },
  },
};

export const crossentropy = {
  title: "cross-entropy",
  about: () => "The loss is small if the probability of the right class is large.",
  targets: {
    loss: {
      direction: "forward",
      views: ["z", "target", "loss"],
      of(step) {
        const target = plain(step, "target");
        const samples = target.array.data.length / target.array.shape.at(-1);
        const terms = [];
        target.array.data.forEach((y, offset) => {
          if (!y) return;
          const index = target.array.index(offset);
          terms.push(product([target.factor(...index), number(`−log q[${index.join(", ")}]`, -Math.log(clippedShare(step, index))), number(`1 / ${samples}`, 1 / samples)]));
        });
        return { terms: [...terms, ...penalty(step, "loss", [])], formula: `loss = −Σ y · log q / ${samples}`, words: "q is the prediction divided by its sum, at least 10⁻⁷. Only the right class counts." };
      },
    },
    dz: {
      direction: "backward",
      views: ["z", "target", "dz"],
      of(step, index) {
        const [z, target, dz] = ["z", "target", "dz"].map((name) => plain(step, name));
        const row = index.slice(0, -1);
        const samples = z.array.data.length / z.array.shape.at(-1);
        const sum = total(Array.from({ length: z.array.shape.at(-1) }, (_, k) => z.factor(...row, k).value));
        const slope = (k) => {
          const q = z.factor(...row, k).value / sum;
          return q >= 1e-7 && q <= 1 - 1e-7 ? -target.factor(...row, k).value / q / samples : 0;
        };
        const share = number("1 / Σ p", 1 / sum);
        const terms = [product([number("−y / q / N", slope(index.at(-1))), share], { part: "direct" })];
        for (let k = 0; k < z.array.shape.at(-1); k++) {
          terms.push(product([number("−1", -1), number(`−y[${k}] / q[${k}] / N`, slope(k)), number(`q[${k}]`, clippedShare(step, [...row, k])), share], { part: "through the sum" }));
        }
        return { terms, formula: `${dz.text(...index)} = (dq − Σ dq · q) / Σ p, dq = −y / q / N`, words: "The prediction is divided by its sum first, so there is a second path through that sum." };
      },
    },
  },
};

function clippedShare(step, index) {
  const z = step.arrays.z;
  const row = index.slice(0, -1);
  const sum = total(Array.from({ length: z.shape.at(-1) }, (_, k) => z.get([...row, k])));
  return Math.min(Math.max(z.get(index) / sum, 1e-7), 1 - 1e-7);
}

export const meanSquaredError = {
  title: "mean squared error",
  about: () => "The mean of the squared differences between prediction and target.",
  targets: {
    loss: {
      direction: "forward",
      views: ["z", "target", "loss"],
      of(step) {
        const [z, target] = [plain(step, "z"), plain(step, "target")];
        const count = z.array.data.length;
        const terms = Array.from(z.array.data, (value, offset) => {
          const error = number(`error[${z.array.index(offset).join(", ")}]`, value - target.array.data[offset]);
          return product([error, error, number(`1 / ${count}`, 1 / count)]);
        });
        return { terms: [...terms, ...penalty(step, "loss", [])], formula: `loss = Σ (${z.name} − y)² / ${count}`, words: "error = prediction − target." };
      },
    },
    dz: elementwise("backward", ["z", "target", "dz"], (step, index) => {
      const [z, target, dz] = ["z", "target", "dz"].map((name) => plain(step, name));
      const count = z.array.data.length;
      const two = number(`2 / ${count}`, 2 / count);
      return {
        terms: [product([two, z.factor(...index)]), product([number("−1", -1), two, target.factor(...index)])],
        formula: `${dz.text(...index)} = 2 · (${z.text(...index)} − ${target.text(...index)}) / ${count}`,
        words: "The backward pass starts here: the gradient is proportional to the error.",
      };
    }),
  },
};
