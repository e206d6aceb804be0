// Losses: one number that says how wrong the predictions are, and the gradient with which the backward pass starts.

import { total, written } from "../numbers.js";
import { sigmoid, softmaxOf } from "./activations.js";
import { elementwise, factorAt, number, penalty, plain, product, textAt } from "./products.js";

const share = (step) => number(`1 / ${step.options.count}`, 1 / step.options.count);
const over = (step) => (step.options.count > 1 ? ` / ${step.options.count}` : "");

/** Terms for all elements of the prediction, by `of(index)`; elements without a term are left out. */
const terms = (step, of) => [
  ...Array.from(step.arrays.z.data.keys(), (offset) => of(step.arrays.z.index(offset))).filter(Boolean),
  ...penalty(step, "loss", []),
];

/** The index of output k of the same sample. */
const inRow = (index, k) => [...index.slice(0, -1), k];

const START = "The backward pass starts here. ";

/** The loss and its gradient with respect to the logits z: p − y. */
export const softmaxCrossentropy = {
  title: "softmax and cross-entropy",
  about: () =>
    "Softmax makes probabilities p of the last layer's numbers. The loss is small if p is large at the right class.",
  targets: {
    p: elementwise("forward", ["z", "p"], (step, index) => softmaxOf(step, "z", "p", index)),
    loss: {
      direction: "forward",
      views: ["p", "target", "loss"],
      of(step) {
        const [z, p, target] = ["z", "p", "target"].map((name) => plain(step, name));
        const minusLog = (index) => {
          const logits = Array.from({ length: z.array.shape.at(-1) }, (_, k) => z.array.get(inRow(index, k)));
          const largest = Math.max(...logits);
          return Math.log(total(logits.map((value) => Math.exp(value - largest)))) - (z.array.get(index) - largest);
        };
        return {
          terms: terms(step, (index) => {
            const y = target.factor(...index);
            return (
              y.value && product([y, { ...p.factor(...index), name: "−log p", value: minusLog(index) }, share(step)])
            );
          }),
          formula: `loss = −Σ y · log p${over(step)}`,
          words:
            "y is 1 for the right class and 0 for the others, so only the probability of the right class counts. The loss is 0 if it is 1.",
        };
      },
    },
    dz: {
      direction: "backward",
      views: ["p", "target", "dz"],
      sign: "−",
      of(step, index) {
        const [p, target, dz] = ["p", "target", "dz"].map((name) => plain(step, name));
        const sum = total(Array.from({ length: p.array.shape.at(-1) }, (_, k) => target.array.get(inRow(index, k))));
        const mean = step.options.count > 1 ? [share(step)] : [];
        const all = sum === 1 ? [] : [number("Σ y", sum)];
        const difference = `${p.text(...index)} − ${target.text(...index)}`;
        return {
          terms: [
            product([p.factor(...index), ...all, ...mean]),
            product([number("−1", -1), target.factor(...index), ...mean]),
          ],
          formula: `${dz.text(...index)} = ${mean.length ? `(${difference})${over(step)}` : difference}`,
          words: `${START}The gradient is the predicted probability minus the right answer: a class that got too much probability has a positive gradient, the right class a negative one.`,
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
        return {
          terms: terms(
            step,
            (index) =>
              target.array.get(index) &&
              product([
                target.factor(...index),
                number(`−log q[${index.join(", ")}]`, -Math.log(clipped(shareOf(step, index)))),
                share(step),
              ]),
          ),
          formula: `loss = −Σ y · log q${over(step)}`,
          words: "q is the prediction divided by its sum, at least 10⁻⁷. Only the right class counts.",
        };
      },
    },
    dz: {
      direction: "backward",
      views: ["z", "target", "dz"],
      of(step, index) {
        const [z, target, dz] = ["z", "target", "dz"].map((name) => plain(step, name));
        const sum = total(Array.from({ length: z.array.shape.at(-1) }, (_, k) => z.array.get(inRow(index, k))));
        const slope = (at) =>
          isInside(shareOf(step, at)) ? -target.array.get(at) / shareOf(step, at) / step.options.count : 0;
        const scale = number("1 / Σ p", 1 / sum);
        const others = Array.from({ length: z.array.shape.at(-1) }, (_, k) => inRow(index, k)).map((at) =>
          product(
            [
              number("−1", -1),
              number(`−y[${at.at(-1)}] / q[${at.at(-1)}] / N`, slope(at)),
              number(`q[${at.at(-1)}]`, clipped(shareOf(step, at))),
              scale,
            ],
            { part: "through the sum" },
          ),
        );
        return {
          terms: [product([number("−y / q / N", slope(index)), scale], { part: "direct" }), ...others],
          formula: `${dz.text(...index)} = (dq − Σ dq · q) / Σ p, dq = −y / q${over(step)}`,
          words: `${START}The prediction is divided by its sum first, so there is a second path through that sum.`,
        };
      },
    },
  },
};

const clipped = (p) => Math.min(Math.max(p, 1e-7), 1 - 1e-7);
const isInside = (p) => p >= 1e-7 && p <= 1 - 1e-7;

/** q, the prediction at an index divided by the sum of its row. */
function shareOf(step, index) {
  const { z } = step.arrays;
  return z.get(index) / total(Array.from({ length: z.shape.at(-1) }, (_, k) => z.get(inRow(index, k))));
}

/** Sigmoid and binary cross-entropy as one operation: p − y again. */
export const sigmoidCrossentropy = {
  title: "sigmoid and binary cross-entropy",
  about: () =>
    "The sigmoid makes a probability p of each of the last layer's numbers. The loss is small if p is near y.",
  targets: {
    p: elementwise("forward", ["z", "p"], (step, index) => {
      const z = factorAt(step, "z", index);
      return {
        terms: [product([z])],
        result: sigmoid(z.value),
        formula: `${textAt(step, "p", index)} = 1 / (1 + exp(−${written("z", index)}))`,
        words: "The sigmoid squeezes every number between 0 and 1.",
      };
    }),
    loss: {
      direction: "forward",
      views: ["z", "target", "loss"],
      of: (step) => ({
        terms: terms(step, (index) => {
          const [z, y] = [step.arrays.z.get(index), step.arrays.target.get(index)];
          return product([
            number(`ℓ[${index.join(", ")}]`, Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - y * z),
            share(step),
          ]);
        }),
        formula: `loss = Σ ℓ${over(step)}, ℓ = −y · log p − (1 − y) · log(1 − p)`,
        words: "Each output is a yes or no of its own; its loss ℓ is 0 if p is equal to y.",
      }),
    },
    dz: {
      direction: "backward",
      views: ["p", "target", "dz"],
      sign: "−",
      of(step, index) {
        const [p, target, dz] = ["p", "target", "dz"].map((name) => plain(step, name));
        return {
          terms: [
            product([p.factor(...index), share(step)]),
            product([number("−1", -1), target.factor(...index), share(step)]),
          ],
          formula: `${dz.text(...index)} = (${p.text(...index)} − ${target.text(...index)})${over(step)}`,
          words: `${START}The gradient is the predicted probability minus the right answer.`,
        };
      },
    },
  },
};

export const binaryCrossentropy = {
  title: "binary cross-entropy",
  about: () => "Each output is the probability of a yes; the loss is small if it is near y.",
  targets: {
    loss: {
      direction: "forward",
      views: ["z", "target", "loss"],
      of: (step) => ({
        terms: terms(step, (index) => {
          const [p, y] = [clipped(step.arrays.z.get(index)), step.arrays.target.get(index)];
          return product([
            number(`ℓ[${index.join(", ")}]`, -(y * Math.log(p) + (1 - y) * Math.log(1 - p))),
            share(step),
          ]);
        }),
        formula: `loss = Σ ℓ${over(step)}, ℓ = −y · log p − (1 − y) · log(1 − p)`,
        words:
          "Each output is a yes or no of its own; its loss ℓ is 0 if p is equal to y. p is kept between 10⁻⁷ and 1 − 10⁻⁷.",
      }),
    },
    dz: elementwise("backward", ["z", "target", "dz"], (step, index) => {
      const [z, target, dz] = ["z", "target", "dz"].map((name) => plain(step, name));
      const p = clipped(z.array.get(index));
      const slope = number("1 / (p · (1 − p))", isInside(z.array.get(index)) ? 1 / (p * (1 - p)) : 0);
      return {
        terms: [
          product([{ ...z.factor(...index), value: p }, slope, share(step)]),
          product([number("−1", -1), target.factor(...index), slope, share(step)]),
        ],
        formula: `${dz.text(...index)} = (p − y) / (p · (1 − p))${over(step)}`,
        words: `${START}The gradient is large where p is surely wrong.`,
      };
    }),
  },
};

const error = (step, index) =>
  number(`error[${index.join(", ")}]`, step.arrays.z.get(index) - step.arrays.target.get(index));

export const meanSquaredError = {
  title: "mean squared error",
  about: () => "The mean of the squared differences between prediction and target.",
  targets: {
    loss: {
      direction: "forward",
      views: ["z", "target", "loss"],
      of: (step) => ({
        terms: terms(step, (index) => product([error(step, index), error(step, index), share(step)])),
        formula: `loss = Σ error²${over(step)}`,
        words: "error = prediction − target.",
      }),
    },
    dz: elementwise("backward", ["z", "target", "dz"], (step, index) => {
      const [z, target, dz] = ["z", "target", "dz"].map((name) => plain(step, name));
      const two = number(`2 / ${step.options.count}`, 2 / step.options.count);
      return {
        terms: [product([two, z.factor(...index)]), product([number("−1", -1), two, target.factor(...index)])],
        formula: `${dz.text(...index)} = 2 · (${z.text(...index)} − ${target.text(...index)})${over(step)}`,
        words: `${START}The gradient is proportional to the error.`,
      };
    }),
  },
};

export const meanAbsoluteError = {
  title: "mean absolute error",
  about: () => "The mean of the distances between prediction and target.",
  targets: {
    loss: {
      direction: "forward",
      views: ["z", "target", "loss"],
      of: (step) => ({
        terms: terms(step, (index) =>
          product([number(`|error[${index.join(", ")}]|`, Math.abs(error(step, index).value)), share(step)]),
        ),
        formula: `loss = Σ |error|${over(step)}`,
        words: "error = prediction − target.",
      }),
    },
    dz: elementwise("backward", ["z", "target", "dz"], (step, index) => ({
      terms: [product([number("sign of the error", Math.sign(error(step, index).value)), share(step)])],
      formula: `${textAt(step, "dz", index)} = sign(${textAt(step, "z", index)} − ${textAt(step, "target", index)})${over(step)}`,
      words: `${START}Only the direction of the error counts, not its size.`,
    })),
  },
};

/** The error, limited to ±delta. */
const limited = (step, index) => {
  const { value } = error(step, index);
  return Math.abs(value) <= step.options.delta ? value : Math.sign(value) * step.options.delta;
};

export const huber = {
  title: "Huber loss",
  about: (step) =>
    `Half of the squared error up to ${step.options.delta}, and a straight line beyond: outliers count less.`,
  targets: {
    loss: {
      direction: "forward",
      views: ["z", "target", "loss"],
      of: (step) => ({
        terms: terms(step, (index) => {
          const c = limited(step, index);
          const rest = error(step, index).value - c / 2;
          return product([number(`c[${index.join(", ")}]`, c), number("error − c / 2", rest), share(step)]);
        }),
        formula: `loss = Σ c · (error − c / 2)${over(step)}`,
        words: `error = prediction − target; c is the error, limited to ±${step.options.delta}.`,
      }),
    },
    dz: elementwise("backward", ["z", "target", "dz"], (step, index) => ({
      terms: [product([number("c", limited(step, index)), share(step)])],
      formula: `${textAt(step, "dz", index)} = c${over(step)}`,
      words: `${START}c is the error, limited to ±${step.options.delta}: an outlier pulls no harder.`,
    })),
  },
};
