// Losses: one number that says how wrong the predictions are, and the gradient with which the backward pass starts.

import { total } from "../numbers.js";
import { rowAlong, sigmoid, softmaxOf } from "./activations.js";
import { elementwise, number, penalty, plain, product, textAt } from "./products.js";

/** The factor of a mean; none if the loss is a sum of one number, or is not divided. */
const share = ({ options: { count } }) => (count > 1 ? [number(`1 / ${count}`, 1 / count)] : []);
const over = ({ options: { count } }) => (count > 1 ? ` / ${count}` : "");

/**
 * The loss as a target: for each element of the prediction the product of `factorsOf(step, index)`, null for an element
 * that does not count; `described(step)` has the formula and the words.
 */
const summed = (views, factorsOf, described) => ({
  direction: "forward",
  views: [...views, "target", "loss"],
  of(step) {
    const { z } = step.arrays;
    const factors = Array.from(z.data.keys(), (offset) => factorsOf(step, z.index(offset))).filter(Boolean);
    return {
      terms: [...factors.map((each) => product([...each, ...share(step)])), ...penalty(step, "loss", [])],
      ...described(step),
    };
  },
});

/** The products of (p − y) · the other factors. */
const difference = (p, y, ...others) => [product([p, ...others]), product([number("−1", -1), y, ...others])];

/** The numbers of the same sample. */
const rowOf = (array, index) => rowAlong(array, -1, index).map((at) => array.get(at));

const START = "The backward pass starts here. ";

/** −log p of softmax's p, from the logits: p itself may be rounded to 0. */
function minusLogSoftmax(logits, value) {
  const largest = Math.max(...logits);
  return Math.log(total(logits.map((logit) => Math.exp(logit - largest)))) - (value - largest);
}

/** The loss and its gradient with respect to the logits z: p − y. */
export const softmaxCrossentropy = {
  title: "softmax and cross-entropy",
  about: () =>
    "Softmax makes probabilities p of the last layer's numbers. The loss is small if p is large at the right class.",
  targets: {
    p: elementwise("forward", ["z", "p"], (step, index) => softmaxOf(step, "z", "p", index)),
    loss: summed(
      ["p"],
      (step, index) => {
        const [z, p, target] = ["z", "p", "target"].map((name) => plain(step, name));
        const y = target.factor(...index);
        const value = minusLogSoftmax(rowOf(z.array, index), z.array.get(index));
        return y.value ? [y, { ...p.factor(...index), name: "−log p", value }] : null;
      },
      (step) => ({
        formula: `loss = −Σ y · log p${over(step)}`,
        words:
          "y is 1 for the right class and 0 for the others, so only the probability of the right class counts. The loss is 0 if it is 1.",
      }),
    ),
    dz: {
      sign: "−",
      ...elementwise("backward", ["p", "target", "dz"], (step, index) => {
        const [p, target, dz] = ["p", "target", "dz"].map((name) => plain(step, name));
        const sum = total(rowOf(target.array, index));
        const all = sum === 1 ? [] : [number("Σ y", sum)];
        const minus = `${p.text(...index)} − ${target.text(...index)}`;
        return {
          terms: [
            product([p.factor(...index), ...all, ...share(step)]),
            product([number("−1", -1), target.factor(...index), ...share(step)]),
          ],
          formula: `${dz.text(...index)} = ${over(step) ? `(${minus})${over(step)}` : minus}`,
          words: `${START}The gradient is the predicted probability minus the right answer: a class that got too much probability has a positive gradient, the right class a negative one.`,
        };
      }),
    },
  },
};

const clipped = (p) => Math.min(Math.max(p, 1e-7), 1 - 1e-7);
const isInside = (p) => p >= 1e-7 && p <= 1 - 1e-7;

/** q, the prediction at an index divided by the sum of its row. */
const shareOf = ({ arrays: { z } }, index) => z.get(index) / total(rowOf(z, index));

export const crossentropy = {
  title: "cross-entropy",
  about: () => "The loss is small if the probability of the right class is large.",
  targets: {
    loss: summed(
      ["z"],
      (step, index) => {
        const y = plain(step, "target").factor(...index);
        const minusLog = number(`−log q[${index.join(", ")}]`, -Math.log(clipped(shareOf(step, index))));
        return y.value ? [y, minusLog] : null;
      },
      (step) => ({
        formula: `loss = −Σ y · log q${over(step)}`,
        words: "q is the prediction divided by its sum, at least 10⁻⁷. Only the right class counts.",
      }),
    ),
    dz: elementwise("backward", ["z", "target", "dz"], (step, index) => {
      const { z, target } = step.arrays;
      const slope = (at) =>
        isInside(shareOf(step, at)) ? -target.get(at) / shareOf(step, at) / step.options.count : 0;
      const scale = number("1 / Σ p", 1 / total(rowOf(z, index)));
      const others = rowAlong(z, -1, index).map((at) => {
        const k = at.at(-1);
        return product(
          [
            number("−1", -1),
            number(`−y[${k}] / q[${k}]${over(step)}`, slope(at)),
            number(`q[${k}]`, clipped(shareOf(step, at))),
            scale,
          ],
          { part: "through the sum" },
        );
      });
      return {
        terms: [product([number(`−y / q${over(step)}`, slope(index)), scale], { part: "direct" }), ...others],
        formula: `${textAt(step, "dz", index)} = (dq − Σ dq · q) / Σ p, dq = −y / q${over(step)}`,
        words: `${START}The prediction is divided by its sum first, so there is a second path through that sum.`,
      };
    }),
  },
};

/** A binary cross-entropy: `lossOf(z, y)` is the loss ℓ of one output. */
const yesOrNo = (lossOf, words = "") =>
  summed(
    ["z"],
    ({ arrays: { z, target } }, index) => [number(`ℓ[${index.join(", ")}]`, lossOf(z.get(index), target.get(index)))],
    (step) => ({
      formula: `loss = Σ ℓ${over(step)}, ℓ = −y · log p − (1 − y) · log(1 − p)`,
      words: `Each output is a yes or no of its own; its loss ℓ is 0 if p is equal to y.${words}`,
    }),
  );

/** Sigmoid and binary cross-entropy as one operation: p − y again. */
export const sigmoidCrossentropy = {
  title: "sigmoid and binary cross-entropy",
  about: () =>
    "The sigmoid makes a probability p of each of the last layer's numbers. The loss is small if p is near y.",
  targets: {
    p: elementwise("forward", ["z", "p"], (step, index) => {
      const z = plain(step, "z");
      return {
        terms: [product([z.factor(...index)])],
        result: sigmoid(z.array.get(index)),
        formula: `${textAt(step, "p", index)} = 1 / (1 + exp(−${z.text(...index)}))`,
        words: "The sigmoid squeezes every number between 0 and 1.",
      };
    }),
    loss: yesOrNo((z, y) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - y * z),
    dz: {
      sign: "−",
      ...elementwise("backward", ["p", "target", "dz"], (step, index) => {
        const [p, target, dz] = ["p", "target", "dz"].map((name) => plain(step, name));
        return {
          terms: difference(p.factor(...index), target.factor(...index), ...share(step)),
          formula: `${dz.text(...index)} = (${p.text(...index)} − ${target.text(...index)})${over(step)}`,
          words: `${START}The gradient is the predicted probability minus the right answer.`,
        };
      }),
    },
  },
};

export const binaryCrossentropy = {
  title: "binary cross-entropy",
  about: () => "Each output is the probability of a yes; the loss is small if it is near y.",
  targets: {
    loss: yesOrNo((z, y) => {
      const p = clipped(z);
      return -(y * Math.log(p) + (1 - y) * Math.log(1 - p));
    }, " p is kept between 10⁻⁷ and 1 − 10⁻⁷."),
    dz: elementwise("backward", ["z", "target", "dz"], (step, index) => {
      const [z, target] = ["z", "target"].map((name) => plain(step, name));
      const p = clipped(z.array.get(index));
      const slope = number("1 / (p · (1 − p))", isInside(z.array.get(index)) ? 1 / (p * (1 - p)) : 0);
      return {
        terms: difference({ ...z.factor(...index), value: p }, target.factor(...index), slope, ...share(step)),
        formula: `${textAt(step, "dz", index)} = (p − y) / (p · (1 − p))${over(step)}`,
        words: `${START}The gradient is large where p is surely wrong.`,
      };
    }),
  },
};

const errorAt = ({ arrays: { z, target } }, index) => z.get(index) - target.get(index);

export const meanSquaredError = {
  title: "mean squared error",
  about: () => "The mean of the squared differences between prediction and target.",
  targets: {
    loss: summed(
      ["z"],
      (step, index) => {
        const error = number(`error[${index.join(", ")}]`, errorAt(step, index));
        return [error, error];
      },
      (step) => ({ formula: `loss = Σ error²${over(step)}`, words: "error = prediction − target." }),
    ),
    dz: elementwise("backward", ["z", "target", "dz"], (step, index) => {
      const [z, target, dz] = ["z", "target", "dz"].map((name) => plain(step, name));
      const two = number(`2${over(step)}`, 2 / step.options.count);
      return {
        terms: difference(z.factor(...index), target.factor(...index), two),
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
    loss: summed(
      ["z"],
      (step, index) => [number(`|error[${index.join(", ")}]|`, Math.abs(errorAt(step, index)))],
      (step) => ({ formula: `loss = Σ |error|${over(step)}`, words: "error = prediction − target." }),
    ),
    dz: elementwise("backward", ["z", "target", "dz"], (step, index) => ({
      terms: [product([number("sign of the error", Math.sign(errorAt(step, index))), ...share(step)])],
      formula: `${textAt(step, "dz", index)} = sign(${textAt(step, "z", index)} − ${textAt(step, "target", index)})${over(step)}`,
      words: `${START}Only the direction of the error counts, not its size.`,
    })),
  },
};

/** The error, limited to ±delta. */
const limited = (error, delta) => (Math.abs(error) <= delta ? error : Math.sign(error) * delta);

export const huber = {
  title: "Huber loss",
  about: ({ options: { delta } }) =>
    `Half of the squared error up to ${delta}, and a straight line beyond: outliers count less.`,
  targets: {
    loss: summed(
      ["z"],
      (step, index) => {
        const error = errorAt(step, index);
        const c = limited(error, step.options.delta);
        return [number(`c[${index.join(", ")}]`, c), number("error − c / 2", error - c / 2)];
      },
      (step) => ({
        formula: `loss = Σ c · (error − c / 2)${over(step)}`,
        words: `error = prediction − target; c is the error, limited to ±${step.options.delta}.`,
      }),
    ),
    dz: elementwise("backward", ["z", "target", "dz"], (step, index) => ({
      terms: [product([number("c", limited(errorAt(step, index), step.options.delta)), ...share(step)])],
      formula: `${textAt(step, "dz", index)} = c${over(step)}`,
      words: `${START}c is the error, limited to ±${step.options.delta}: an outlier pulls no harder.`,
    })),
  },
};
