// Activations: one number in, one number out. Only softmax looks at several.

import { total, written } from "../numbers.js";
import { elementwise, factorAt, number, plain, product } from "./products.js";

const relu = (x) => (Number.isNaN(x) ? x : Math.max(x, 0));
export const sigmoid = (x) => 0.5 * (1 + Math.tanh(0.5 * x));

const FORWARDS = {
  linear: [(x) => x, (x) => x],
  relu: [relu, (x) => `max(${x}, 0)`],
  sigmoid: [sigmoid, (x) => `1 / (1 + exp(−${x}))`],
  tanh: [Math.tanh, (x) => `tanh(${x})`],
};

/** The factors besides dy of an activation's derivative, as functions of the output y. */
const SLOPES = {
  linear: () => [],
  relu: (y) => [number(y.value > 0 ? "let through, 1" : "blocked, 0", y.value > 0 ? 1 : 0)],
  sigmoid: (y) => [y, number(`1 − ${y.name}`, 1 - y.value)],
  tanh: (y) => [number(`1 − ${y.name}²`, 1 - y.value * y.value)],
};

const SLOPE_FORMULAS = {
  linear: () => "",
  relu: (y) => ` · (1 if ${y} > 0 else 0)`,
  sigmoid: (y) => ` · ${y} · (1 − ${y})`,
  tanh: (y) => ` · (1 − ${y}²)`,
};

export const activation = {
  title: (step) => step.options.activation,
  about: (step) =>
    ({
      relu: "Negative numbers become 0, the others stay.",
      sigmoid: "Squeezes every number between 0 and 1.",
      tanh: "Squeezes every number between −1 and 1.",
      softmax: "Makes positive numbers that sum to 1.",
      linear: "Leaves every number as it is.",
    })[step.options.activation],
  targets: {
    y: elementwise("forward", ["x", "y"], (step, index) => {
      if (step.options.activation === "softmax") return softmaxOf(step, "x", "y", index, step.options.axis);
      const [x, y] = [factorAt(step, "x", index), plain(step, "y")];
      const [compute, formula] = FORWARDS[step.options.activation];
      return {
        terms: [product([x])],
        result: compute(x.value),
        formula: `${y.text(...index)} = ${formula(written(x.name, index))}`,
        words:
          step.options.activation !== "relu"
            ? "One number in, one number out."
            : x.value > 0
              ? "The number is positive, so ReLU lets it through."
              : "The number is not positive, so ReLU makes it 0.",
      };
    }),
    dx: elementwise("backward", ["dy", "y", "dx"], (step, index) => {
      const [dy, y, dx] = ["dy", "y", "dx"].map((name) => plain(step, name));
      const name = step.options.activation;
      if (name === "softmax") {
        const own = y.factor(...index);
        const row = rowAlong(y.array, step.options.axis, index);
        const others = row.map((at, k) =>
          product([number("−1", -1), own, dy.factor(...at), y.factor(...at)], { part: "through the sum", cell: [k] }),
        );
        const k = lettered(y.array, step.options.axis, index);
        return {
          terms: [product([own, dy.factor(...index)], { part: "direct" }), ...others],
          formula: `${dx.text(...index)} = ${y.text(...index)} · (${dy.text(...index)} − Σ ${dy.text(...k)} · ${y.text(...k)})`,
          words: "Each output depends on all inputs, since all of them are in the sum that softmax divides by.",
        };
      }
      const out = y.factor(...index);
      return {
        terms: [product([dy.factor(...index), ...SLOPES[name](out)])],
        formula: `${dx.text(...index)} = ${dy.text(...index)}${SLOPE_FORMULAS[name](y.text(...index))}`,
        words:
          name !== "relu"
            ? `The gradient, times the slope of ${name} at this place.`
            : out.value > 0
              ? "ReLU let this number through in the forward pass, so its gradient passes unchanged."
              : "ReLU had made this number 0: changing it a little changes nothing, so its gradient is 0.",
      };
    }),
  },
};

/** y[k] = e^x[k] / Σ e^x along an axis, with the largest x subtracted first, as minicnn does. */
export function softmaxOf(step, input, output, index, axis = -1) {
  const [x, y] = [plain(step, input), plain(step, output)];
  const factors = rowAlong(x.array, axis, index).map((at) => x.factor(...at));
  const largest = factors.reduce((most, { value }) => (value > most || Number.isNaN(value) ? value : most), -Infinity);
  const terms = factors.map((factor, k) => ({ factors: [factor], value: Math.exp(factor.value - largest), cell: [k] }));
  const chosen = index.at(axis);
  return {
    terms,
    result: terms[chosen].value / total(terms.map(({ value }) => value)),
    chosen,
    listed: `exp(${x.name} − the largest ${x.name})`,
    rule: "its share of the sum",
    formula: `${y.text(...index)} = exp(${x.text(...index)}) / Σ exp(${x.text(...lettered(x.array, axis, index))})`,
    words:
      "Softmax makes every number positive by the exponential function, then divides by the sum: what comes out are probabilities. (The largest number is subtracted first, so that nothing overflows; the shares stay the same.)",
  };
}

/** The indices of all elements that differ from this one on one axis only. */
export function rowAlong(array, axis, index) {
  const at = (axis + index.length) % index.length;
  return Array.from({ length: array.shape[at] }, (_, k) => index.with(at, k));
}

const lettered = (array, axis, index) => index.with((axis + index.length) % index.length, "k");

export const curve = {
  title: (step) => step.options.curve,
  about: () => "One number in, one number out.",
  targets: {
    y: elementwise("forward", ["x", "y"], (step, index) => {
      const [x, y] = [factorAt(step, "x", index), plain(step, "y")];
      return {
        terms: [product([x])],
        result: y.array.get(index),
        formula: `${y.text(...index)} = ${step.options.curve}(${written(x.name, index)})`,
        words: "One number in, one number out.",
      };
    }),
    dx: elementwise("backward", ["dy", "slope", "dx"], (step, index) => {
      const [dy, slope, dx] = ["dy", "slope", "dx"].map((name) => plain(step, name));
      return {
        terms: [product([dy.factor(...index), slope.factor(...index)])],
        formula: `${dx.text(...index)} = ${dy.text(...index)} · ${slope.text(...index)}`,
        words: `The gradient, times the slope of ${step.options.curve} at this place.`,
      };
    }),
  },
};

export const generalRelu = {
  title: (step) => (step.options.negative_slope ? "leaky ReLU" : "ReLU"),
  about: (step) =>
    step.options.negative_slope
      ? `Positive numbers stay; negative ones are multiplied by ${step.options.negative_slope}.`
      : "Negative numbers become 0, the others stay.",
  targets: {
    y: elementwise("forward", ["x", "y"], (step, index) => {
      const { negative_slope, max_value, threshold } = step.options;
      const [x, y] = [factorAt(step, "x", index), plain(step, "y")];
      const low = x.value <= threshold ? (negative_slope ? negative_slope * (x.value - threshold) : 0) : x.value;
      return {
        terms: [product([x])],
        result: max_value !== null && !(x.value < max_value) ? max_value : low,
        formula: `${y.text(...index)} = ${max_value === null ? "" : `${max_value} where x ≥ ${max_value}, `}x where x > ${threshold}, else ${negative_slope} · (x − ${threshold})`,
        words: "One number in, one number out.",
      };
    }),
    dx: elementwise("backward", ["dy", "x", "dx"], (step, index) => {
      const { negative_slope, max_value, threshold } = step.options;
      const [dy, x, dx] = ["dy", "x", "dx"].map((name) => plain(step, name));
      const at = x.factor(...index).value;
      const slope = max_value !== null && !(at < max_value) ? 0 : at > threshold ? 1 : negative_slope;
      return {
        terms: [product([dy.factor(...index), number("slope", slope)])],
        formula: `${dx.text(...index)} = ${dy.text(...index)} · slope`,
        words: "The gradient, times the slope of the piece that x lies on.",
      };
    }),
  },
};
