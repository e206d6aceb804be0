import { brief, written } from "../numbers.js";
import { elementwise, number, plain, product } from "./products.js";

export const dropout = {
  title: "dropout",
  about: (step) => (step.arrays.mask ? `Sets a random ${Math.round(100 * step.options.rate)} % of the numbers to 0, and enlarges the others.` : "Does nothing here: it is inactive."),
  targets: {
    y: elementwise("forward", ["x", "mask", "y"], (step, index) => masked(step, "x", "y", index)),
    dx: elementwise("backward", ["dy", "mask", "dx"], (step, index) => masked(step, "dy", "dx", index)),
  },
};

function masked(step, input, output, index) {
  const [x, y] = [plain(step, input).factor(...index), plain(step, output)];
  const mask = step.arrays.mask ? plain(step, "mask").factor(...index) : number("1", 1);
  const rest = mask.value ? `multiplied by 1 / (1 − rate) = ${brief(mask.value)}, so that the mean stays the same` : "silenced in this step";
  return {
    terms: [product([x, mask])],
    formula: `${y.text(...index)} = ${written(x.name, index)} · mask[${index.join(", ")}]`,
    words: output === "dx" ? "The gradient passes the same mask as the number did." : `The mask is drawn anew in every training step. This number is ${rest}.`,
  };
}
