// Each number times a factor, plus another number: dropout, noise, erased boxes, another unit.

import { brief, written } from "../numbers.js";
import { elementwise, factorAt, product, textAt } from "./products.js";

const OPERATIONS_BY_CLASS = {
  Dropout: ["dropout", (rate) => `Sets a random ${rate} of the numbers to 0, and enlarges the others.`],
  SpatialDropout1D: [
    "spatial dropout",
    (rate) => `Sets a random ${rate} of the channels to 0, and enlarges the others.`,
  ],
  SpatialDropout2D: [
    "spatial dropout",
    (rate) => `Sets a random ${rate} of the channels to 0, and enlarges the others.`,
  ],
  GaussianNoise: ["noise", () => "Adds a random number to each, drawn anew in every training step."],
  RandomErasing: ["random erasing", () => "Replaces a random box of some images, drawn anew in every training step."],
  Rescaling: ["rescaling", () => "The same numbers in another unit."],
};

const textOf = ({ name, index }) => written(name, index);

/** What happened to a number in the forward pass. */
function wordsFor(step, factor, offset) {
  if (step.class === "Rescaling") return "Every number is multiplied by the scale; the offset is added.";
  if (offset) return factor === 0 ? "The number was replaced." : "A random number was added.";
  return factor === 0
    ? "This number is silenced in this step."
    : factor === 1
      ? "The number stays as it is."
      : `This number is multiplied by 1 / (1 − rate) = ${brief(factor)}, so that the mean stays the same.`;
}

export const scaling = {
  title: (step) => OPERATIONS_BY_CLASS[step.class][0],
  about: (step) =>
    step.options.rate === 0
      ? "Does nothing here: it is inactive."
      : OPERATIONS_BY_CLASS[step.class][1](`${Math.round(100 * step.options.rate)} %`),
  targets: {
    y: elementwise("forward", ["x", "mask", "offset", "y"], (step, index) => {
      const x = factorAt(step, "x", index);
      const mask = step.arrays.mask && factorAt(step, "mask", index);
      const offset = step.arrays.offset && factorAt(step, "offset", index);
      const terms = [product([x, ...(mask ? [mask] : [])])];
      if (offset) terms.push(product([offset], { part: "added" }));
      return {
        terms,
        formula: `${textAt(step, "y", index)} = ${[x, ...(mask ? [mask] : [])].map(textOf).join(" · ")}${offset ? ` + ${textOf(offset)}` : ""}`,
        words: wordsFor(step, mask?.value ?? 1, offset?.value ?? 0),
      };
    }),
    dx: elementwise("backward", ["dy", "mask", "dx"], (step, index) => {
      const mask = step.arrays.mask && factorAt(step, "mask", index);
      const dy = factorAt(step, "dy", index);
      return {
        terms: [product([dy, ...(mask ? [mask] : [])])],
        formula: `${textAt(step, "dx", index)} = ${[dy, ...(mask ? [mask] : [])].map(textOf).join(" · ")}`,
        words: mask
          ? "The gradient is multiplied by the same factor as the number was."
          : "What was added does not depend on the number, so the gradient passes unchanged.",
      };
    }),
  },
};
