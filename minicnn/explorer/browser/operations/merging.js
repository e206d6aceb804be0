// Branches: a value that several operations get, and operations that get several values.

import { plural, times, written } from "../numbers.js";
import { winnerOf } from "./pooling.js";
import { elementwise, factorAt, number, plain, product, textAt } from "./products.js";

const inputsOf = (step) => Object.keys(step.inputs);

/** Targets of an operation with inputs x1, x2, …: y by `forward(step, index)`, dx1, dx2, … by `back(step, k, index)`. */
function joining(forward, back, needed = () => []) {
  return (step) => {
    const names = inputsOf(step);
    const gradients = names.map((name, k) => [
      `d${name}`,
      elementwise("backward", ["dy", ...needed(names, k), `d${name}`], (of, index) => back(of, k, index)),
    ]);
    return { y: elementwise("forward", [...names, "y"], forward), ...Object.fromEntries(gradients) };
  };
}

const others = (names, k) => names.filter((_, at) => at !== k);

/** A value that goes to several operations: copying has no arithmetic, but its backward adds. */
export const fork = {
  sign: "+",
  hasOneScale: true,
  title: "fork",
  about: (step) => `${plural(step.uses.length, "operation")} get this value. On the way back, their gradients add up.`,
  targets: (step) => {
    const parts = step.uses.map((_, k) => `dy${k + 1}`);
    return {
      y: elementwise("forward", ["x", "y"], (of, index) => ({
        terms: [product([factorAt(of, "x", index)])],
        formula: `${textAt(of, "y", index)} = ${textAt(of, "x", index)}`,
        words: "No arithmetic: every branch gets the number as it is.",
      })),
      dx: elementwise("backward", [...parts, "dx"], (of, index) => ({
        terms: parts.map((name, k) => product([factorAt(of, name, index)], { part: `branch ${k + 1}` })),
        formula: `${textAt(of, "dx", index)} = ${parts.map((name) => textAt(of, name, index)).join(" + ")}`,
        words: `This number has ${plural(parts.length, "way")} to the loss, one through each branch. If it grew a little, the loss would change by the sum of what each way does: gradients of branches are added.`,
      })),
    };
  },
};

/** Add, Subtract, Average: y = Σ weight · x. */
export const sum = {
  sign: (step) => (step.options.weights[1] < 0 ? "−" : "+"),
  hasOneScale: true,
  title: (step) => ({ Add: "addition", Average: "mean", Subtract: "subtraction" })[step.class],
  about: (step) =>
    ({
      Add: "Adds its inputs, number by number.",
      Average: "The mean of its inputs, number by number.",
      Subtract: "The first input minus the second, number by number.",
    })[step.class],
  targets: joining(
    (step, index) => ({
      terms: inputsOf(step).map((name, k) => product([factorAt(step, name, index), ...weightOf(step, k)])),
      formula: `${textAt(step, "y", index)} = ${inputsOf(step)
        .map((name, k) => [textAt(step, name, index), ...weightOf(step, k).map((weight) => weight.name)].join(" · "))
        .join(" + ")}`,
      words: `One number of each of the ${inputsOf(step).length} inputs, from the same place.`,
    }),
    (step, k, index) => {
      const weight = weightOf(step, k);
      return {
        terms: [product([factorAt(step, "dy", index), ...weight])],
        formula: `${textAt(step, `dx${k + 1}`, index)} = ${[textAt(step, "dy", index), ...weight.map(({ name }) => name)].join(" · ")}`,
        words: weight.length
          ? "The gradient, times the factor that the input has in the sum."
          : "An addition hands its gradient to every input, unchanged. So a shortcut around some layers carries the gradient past them.",
      };
    },
  ),
};

/** The factor of input k, if it isn't 1. */
function weightOf(step, k) {
  const weight = step.options.weights[k];
  return weight === 1 ? [] : [number(weight < 0 ? "−1" : `1 / ${step.options.weights.length}`, weight)];
}

export const multiply = {
  sign: "·",
  title: "multiplication",
  about: () => "Multiplies its inputs, number by number.",
  targets: joining(
    (step, index) => ({
      terms: [product(inputsOf(step).map((name) => factorAt(step, name, index)))],
      formula: `${textAt(step, "y", index)} = ${inputsOf(step)
        .map((name) => textAt(step, name, index))
        .join(" · ")}`,
      words: `One number of each of the ${inputsOf(step).length} inputs, from the same place.`,
    }),
    (step, k, index) => {
      const factors = ["dy", ...others(inputsOf(step), k)].map((name) => plain(step, name));
      return {
        terms: [product(factors.map((factor) => factor.factor(...index)))],
        formula: `${textAt(step, `dx${k + 1}`, index)} = ${factors.map((factor) => factor.text(...index)).join(" · ")}`,
        words:
          "The larger the other factor, the more a change of this one changes the product: the gradient is multiplied by it.",
      };
    },
    others,
  ),
};

/** Maximum, Minimum. */
export const extreme = {
  title: (step) => step.options.rule,
  about: (step) => `The ${largest(step)} of its inputs, number by number.`,
  targets: joining(
    (step, index) => {
      const [winner, terms] = contest(step, index);
      return {
        terms,
        result: terms[winner].value,
        chosen: winner,
        listed: "the numbers of the inputs",
        rule: `the ${largest(step)}`,
        formula: `${textAt(step, "y", index)} = ${step.options.rule} of ${terms.map(({ factors: [{ name, index: at }] }) => written(name, at)).join(", ")}`,
        words: `Input ${winner + 1} has the ${largest(step)} number here.`,
      };
    },
    (step, k, index) => {
      const won = contest(step, index)[0] === k;
      return {
        terms: [product([factorAt(step, "dy", index), number(won ? "won, 1" : "lost, 0", won ? 1 : 0)])],
        also: inputsOf(step).map((name) => factorAt(step, name, index)),
        formula: `${textAt(step, `dx${k + 1}`, index)} = ${textAt(step, "dy", index)} where it is the ${largest(step)}, else 0`,
        words: won
          ? "This input's number was taken, so it gets the gradient."
          : "Another input's number was taken. Changing this one a little changes nothing, so its gradient is 0.",
      };
    },
    (names) => names,
  ),
};

const largest = (step) => (step.options.rule === "maximum" ? "largest" : "smallest");

/** Which input has the largest or smallest number at a place, and the numbers there. */
function contest(step, index) {
  const terms = inputsOf(step).map((name) => product([factorAt(step, name, index)]));
  const sign = step.options.rule === "maximum" ? 1 : -1;
  return [winnerOf(terms.map(({ value }) => sign * value)), terms];
}

export const concatenate = {
  sign: ",",
  title: "concatenation",
  about: (step) =>
    `Puts its inputs side by side: ${times(inputsOf(step).map((name) => step.arrays[name].shape[step.options.axis])).replaceAll(" × ", " + ")} = ${step.arrays.y.shape[step.options.axis]} ${step.options.axis === step.arrays.y.rank - 1 ? "channels" : "places"}.`,
  targets: joining(
    (step, index) => {
      const { axis } = step.options;
      let [k, at] = [0, index[axis]];
      for (const name of inputsOf(step)) {
        const { shape } = step.arrays[name];
        if (at < shape[axis]) break;
        at -= shape[axis];
        k += 1;
      }
      const factor = plain(step, `x${k + 1}`).factor(...index.with(axis, at));
      return {
        terms: [product([factor])],
        formula: `${textAt(step, "y", index)} = ${written(factor.name, factor.index)}`,
        words: `No arithmetic: the number is one of input ${k + 1}.`,
      };
    },
    (step, k, index) => {
      const { axis } = step.options;
      const before = inputsOf(step)
        .slice(0, k)
        .reduce((length, name) => length + step.arrays[name].shape[axis], 0);
      const factor = plain(step, "dy").factor(...index.with(axis, index[axis] + before));
      return {
        terms: [product([factor])],
        formula: `${textAt(step, `dx${k + 1}`, index)} = ${written(factor.name, factor.index)}`,
        words: "Each input gets its part of the gradient back.",
      };
    },
  ),
};
