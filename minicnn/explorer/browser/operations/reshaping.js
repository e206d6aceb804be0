// The same numbers in another shape (Flatten, Reshape) or order (Permute).

import { written } from "../numbers.js";
import { elementwise, factorAt, product, textAt } from "./products.js";

const THERE = "No arithmetic: the number only gets another position.";
const BACK = "The gradient goes back to the position that its number came from.";

/** An operation that only moves numbers: `origin(step, index)` is where y[index] was in x, `goal` where x[index] goes to. */
const moving = (title, about, origin, goal) => ({
  title,
  about: () => about,
  targets: {
    y: elementwise("forward", ["x", "y"], (step, index) => moved(step, "x", "y", index, origin(step, index), THERE)),
    dx: elementwise("backward", ["dy", "dx"], (step, index) => moved(step, "dy", "dx", index, goal(step, index), BACK)),
  },
});

function moved(step, input, output, index, from, words) {
  const factor = factorAt(step, input, from);
  return {
    terms: [product([factor])],
    formula: `${textAt(step, output, index)} = ${written(factor.name, from)}`,
    words,
  };
}

export const reshape = moving(
  (step) => (step.class === "Flatten" ? "flatten" : "reshape"),
  "The same numbers in another shape.",
  (step, index) => step.arrays.x.index(step.arrays.y.offset(index)),
  (step, index) => step.arrays.y.index(step.arrays.x.offset(index)),
);

export const permute = moving(
  "permute",
  "The same numbers with their axes in another order.",
  ({ options: { dims } }, index) => index.map((_, axis) => index[dims.indexOf(axis)]),
  ({ options: { dims } }, index) => dims.map((axis) => index[axis]),
);
