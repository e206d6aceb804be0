import { plural, shifted, times } from "../numbers.js";
import { cellsOf, images, kernels, penalty, plain, product, windowsWith } from "./products.js";

export const conv = {
  sign: "·",
  title: "convolution",
  about: (step) => {
    const kernel = step.arrays.kernel.shape;
    return `${plural(kernel.at(-1), "kernel")} of ${times(kernel.slice(0, -1))} slide over the input; each looks for one pattern.`;
  },
  targets: {
    y: {
      direction: "forward",
      views: ["x", "kernel", "y"],
      of(step, index) {
        const [x, kernel, y] = [images(step, "x"), kernels(step, "kernel"), images(step, "y")];
        const { strides: [SH, SW], pads: [top, left], window } = step.options;
        const [n, p, q, f] = y.full(index);
        const [H, W, C] = [1, 2, 3].map((axis) => x.length(axis));
        const terms = [];
        for (const [h, w, i, j] of cellsOf(step, [p, q], [H, W])) {
          for (let c = 0; c < C; c++) terms.push(product([x.factor(n, h, w, c), kernel.factor(i, j, c, f)], { group: c, cell: [i, j] }));
        }
        const padded = window[0] * window[1] * C - terms.length;
        const bias = step.arrays.bias ? plain(step, "bias") : null;
        if (bias) terms.push(product([bias.factor(f)], { part: "bias" }));
        return {
          terms,
          grid: window,
          grouped: ["c", "input channel"],
          formula: `${y.text(n, p, q, f)} = ${bias ? `${bias.text(f)} + ` : ""}Σ ${x.text(n, shifted(p * SH - top, "i"), shifted(q * SW - left, "j"), "c")} · ${kernel.text("i", "j", "c", f)}`,
          words:
            `The window at this position holds ${times([...kernel.array.shape.slice(0, -1)])} numbers of x. Each is multiplied by the weight at the same place of kernel ${f}; ` +
            `the products are added${bias ? ", and the bias" : ""}.` + (padded ? ` ${plural(padded, "product")} on the padding would be 0.` : ""),
        };
      },
    },
    dx: {
      direction: "backward",
      views: ["dy", "kernel", "dx"],
      of(step, index) {
        const [dy, kernel, dx] = [images(step, "dy"), kernels(step, "kernel"), images(step, "dx")];
        const { strides: [SH, SW], pads: [top, left], window } = step.options;
        const [n, h, w, c] = dx.full(index);
        const [OH, OW, F] = [1, 2, 3].map((axis) => dy.length(axis));
        const terms = [];
        for (const [p, q, i, j] of windowsWith(step, [h, w], [OH, OW])) {
          for (let f = 0; f < F; f++) terms.push(product([dy.factor(n, p, q, f), kernel.factor(i, j, c, f)], { group: f, cell: [i, j] }));
        }
        const window_index = (at, letter, S) => (S === 1 ? `${at} − ${letter}` : `(${at} − ${letter}) / ${S}`);
        return {
          terms,
          grid: window,
          turned: window[0] * window[1] > 1 ? `${dy.name}, turned by 180°` : dy.name,
          grouped: ["f", "kernel"],
          formula: `${dx.text(n, h, w, c)} = Σ ${dy.text(n, window_index(h + top, "i", SH), window_index(w + left, "j", SW), "f")} · ${kernel.text("i", "j", c, "f")}`,
          words:
            `In the forward pass, this number was in ${plural(terms.length / F, "window")}, each seen by ${plural(F, "kernel")}. On the way back, every one of these outputs ` +
            `sends its gradient ${dy.name}, times the weight that this number was multiplied by: the last window saw it in the kernel's first place.`,
        };
      },
    },
    dkernel: {
      direction: "backward",
      views: ["x", "dy", "dkernel"],
      of(step, index) {
        const [x, dy, dkernel] = [images(step, "x"), images(step, "dy"), kernels(step, "dkernel")];
        const { strides: [SH, SW], pads: [top, left] } = step.options;
        const [i, j, c, f] = dkernel.full(index);
        const [N, OH, OW] = [0, 1, 2].map((axis) => dy.length(axis));
        const terms = [];
        for (let n = 0; n < N; n++) {
          for (let p = 0; p < OH; p++) {
            for (let q = 0; q < OW; q++) {
              const [h, w] = [p * SH + i - top, q * SW + j - left];
              if (h < 0 || w < 0 || h >= x.length(1) || w >= x.length(2)) continue;
              terms.push(product([x.factor(n, h, w, c), dy.factor(n, p, q, f)], { group: n, cell: [p, q] }));
            }
          }
        }
        const position = (S, letter, start) => shifted(start, S === 1 ? letter : `${S}·${letter}`);
        return {
          terms: [...terms, ...penalty(step, "kernel", index)],
          grid: [OH, OW],
          grouped: ["n", "sample"],
          formula: `${dkernel.text(i, j, c, f)} = Σ ${x.text("n", position(SH, "p", i - top), position(SW, "q", j - left), "c").replace("c]", `${c}]`)} · ${dy.text("n", "p", "q", f)}`,
          words:
            `This one weight was used at ${plural(terms.length, "position")}. At each, it was multiplied by a number of x; the output there has the gradient ${dy.name}. ` +
            `All the products x · ${dy.name} are added, because the weight is shared by all positions.`,
        };
      },
    },
    dbias: {
      direction: "backward",
      views: ["dy", "dbias"],
      of(step, index) {
        const dy = images(step, "dy");
        const [f] = index;
        const [N, OH, OW] = [0, 1, 2].map((axis) => dy.length(axis));
        const terms = [];
        for (let n = 0; n < N; n++) {
          for (let p = 0; p < OH; p++) for (let q = 0; q < OW; q++) terms.push(product([dy.factor(n, p, q, f)], { group: n, cell: [p, q] }));
        }
        return {
          terms: [...terms, ...penalty(step, "bias", index)],
          grid: [OH, OW],
          grouped: ["n", "sample"],
          formula: `dbias[${f}] = Σ ${dy.text("n", "p", "q", f)}`,
          words: `The bias was added at every position of output channel ${f}, so its gradient is the sum of ${dy.name} over all of them.`,
        };
      },
    },
  },
};
