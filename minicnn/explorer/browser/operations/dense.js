// Dense layer: weighted sums of all inputs.

import { plural } from "../numbers.js";
import { penalty, plain, product, rowLetters, rowsOf } from "./products.js";

export const dense = {
  sign: "·",
  title: "dense layer",
  about: (step) => {
    const [C, F] = step.arrays.kernel.shape;
    return `Each of the ${plural(F, "output")} is a weighted sum of all ${plural(C, "input")}.`;
  },
  targets: {
    y: {
      direction: "forward",
      views: ["x", "kernel", "y"],
      of(step, index) {
        const [x, kernel, y] = ["x", "kernel", "y"].map((name) => plain(step, name));
        const [rows, f] = [index.slice(0, -1), index.at(-1)];
        const terms = [];
        for (let c = 0; c < kernel.length(0); c++)
          terms.push(product([x.factor(...rows, c), kernel.factor(c, f)], { cell: [c] }));
        const bias = step.arrays.bias ? plain(step, "bias") : null;
        if (bias) terms.push(product([bias.factor(f)], { part: "bias" }));
        return {
          terms,
          formula: `${y.text(...index)} = ${bias ? `${bias.text(f)} + ` : ""}Σ ${x.text(...rows, "c")} · ${kernel.text("c", f)}`,
          words: `Every input is multiplied by its weight for unit ${f}; the products are added${bias ? ", and the bias" : ""}.`,
        };
      },
    },
    dx: {
      direction: "backward",
      views: ["dy", "kernel", "dx"],
      across: 1,
      of(step, index) {
        const [dy, kernel, dx] = ["dy", "kernel", "dx"].map((name) => plain(step, name));
        const [rows, c] = [index.slice(0, -1), index.at(-1)];
        const terms = [];
        for (let f = 0; f < kernel.length(1); f++)
          terms.push(product([dy.factor(...rows, f), kernel.factor(c, f)], { cell: [f] }));
        return {
          terms,
          formula: `${dx.text(...index)} = Σ ${dy.text(...rows, "f")} · ${kernel.text(c, "f")}`,
          words: `This input went to all ${plural(kernel.length(1), "unit")}. Each sends back its gradient ${dy.name}, times the weight between the two.`,
        };
      },
    },
    dkernel: {
      direction: "backward",
      views: ["x", "dy", "dkernel"],
      of(step, index) {
        const [x, dy] = ["x", "dy"].map((name) => plain(step, name));
        const [c, f] = index;
        const terms = rowsOf(x.array).map((row, at) =>
          product([x.factor(...row, c), dy.factor(...row, f)], { cell: [at] }),
        );
        return {
          terms: [...terms, ...penalty(step, "kernel", index)],
          formula: `dkernel[${c}, ${f}] = Σ ${x.text(...rowLetters(x.array), c)} · ${dy.text(...rowLetters(x.array), f)}`,
          words: `This weight multiplied input ${c} and went into unit ${f}, once for each sample. So its gradient is the input times the unit's gradient ${dy.name}.`,
        };
      },
    },
    dbias: {
      direction: "backward",
      views: ["dy", "dbias"],
      of(step, index) {
        const dy = plain(step, "dy");
        const terms = rowsOf(dy.array).map((row, at) => product([dy.factor(...row, index[0])], { cell: [at] }));
        return {
          terms: [...terms, ...penalty(step, "bias", index)],
          formula: `dbias[${index[0]}] = Σ ${dy.text(...rowLetters(dy.array), index[0])}`,
          words: `The bias was added to unit ${index[0]} once for each sample, so its gradient is the sum of ${dy.name}.`,
        };
      },
    },
  },
};
