import { written } from "../numbers.js";
import { elementwise, plain, product } from "./products.js";

export const flatten = {
  title: (step) => (step.class === "Flatten" ? "flatten" : "reshape"),
  about: () => "The same numbers in another shape.",
  targets: {
    y: elementwise("forward", ["x", "y"], (step, index) => moved(step, "x", "y", index, "No arithmetic: the number only gets another position.")),
    dx: elementwise("backward", ["dy", "dx"], (step, index) => moved(step, "dy", "dx", index, "The gradient goes back to the position that its number came from.")),
  },
};

function moved(step, input, output, index, words) {
  const [x, y] = [plain(step, input), plain(step, output)];
  const factor = x.factor(...x.array.index(y.array.offset(index)));
  return { terms: [product([factor])], formula: `${y.text(...index)} = ${written(factor.name, factor.index)}`, words };
}
