// Convolution: sums over a window. With groups, a kernel sees only the channels of its group; with dilation, the window
// has gaps. A depthwise convolution has a group for each channel, and a kernel of shape (KH, KW, C, M).

import { plural, shifted, times } from "../numbers.js";
import {
  cellsOf,
  geometryOf,
  images,
  isOnImage,
  paddedTerms,
  paddingOf,
  penalty,
  plain,
  product,
  Reader,
  rowsOf,
  windowsWith,
} from "./products.js";

const KERNEL_AXES = { 4: [0, 1, 2, 3], 3: [1, 2, 3] };

/** A kernel, read as (KH, KW, channels of a group, kernels). */
class Kernel extends Reader {
  constructor(step, name) {
    super(step, name, KERNEL_AXES[step.arrays[name].rank]);
    this.multiplier = step.options.depthwise ? this.length(3) : null;
  }

  /** The array's own index: kernel f = c · M + m of a depthwise convolution is [i, j, c, m] there. */
  own([i, j, c, f]) {
    if (this.multiplier === null) return super.own([i, j, c, f]);
    return Number.isInteger(f) ? [i, j, Math.floor(f / this.multiplier), f % this.multiplier] : [i, j, c, f];
  }

  full(own) {
    const index = super.full(own);
    return this.multiplier === null ? index : [index[0], index[1], 0, index[2] * this.multiplier + index[3]];
  }
}

/** All positions of all samples in an array of images: [n, row, column]. */
const positionsOf = (images) => rowsOf(images.array).map((row) => images.full([...row, 0]).slice(0, 3));

/** How many channels and kernels a group has. */
function groupsOf(step) {
  const { groups } = step.options;
  return { channels: step.arrays.x.shape.at(-1) / groups, kernels: step.arrays.y.shape.at(-1) / groups };
}

/** "4 + 2·i": the place that is `letter` steps of so many numbers behind the start. */
const place = (start, size, letter) => shifted(start, size === 1 ? letter : `${size}·${letter}`);

/** "(4 − 2·i) / 2": the window in which the number at `start` is number `letter`. */
function windowOf(start, stride, dilation, letter) {
  const difference = `${start} − ${dilation === 1 ? letter : `${dilation}·${letter}`}`;
  return stride === 1 ? difference : `(${difference}) / ${stride}`;
}

export const conv = {
  sign: "·",
  title: (step) =>
    step.options.depthwise
      ? "depthwise convolution"
      : step.options.groups > 1
        ? "convolution in groups"
        : "convolution",
  about(step) {
    const { window, groups, dilation, depthwise } = step.options;
    const kernel = step.arrays.kernel.shape;
    const gaps =
      Math.max(...dilation) > 1
        ? ` The numbers of a window lie ${dilation[0] === dilation[1] ? dilation[0] : times(dilation)} apart.`
        : "";
    if (depthwise)
      return `${kernel.at(-1) === 1 ? "A kernel" : plural(kernel.at(-1), "kernel")} of ${times(window)} for each of the ${plural(kernel.at(-2), "input channel")}, which stay apart.${gaps}`;
    const seen = groups > 1 ? ` Each sees only the ${plural(kernel.at(-2), "channel")} of its group.` : "";
    return `${plural(kernel.at(-1), "kernel")} of ${times(kernel.slice(0, -1))} slide over the input; each looks for one pattern.${seen}${gaps}`;
  },
  targets: {
    y: {
      direction: "forward",
      views: ["x", "kernel", "y"],
      of(step, index) {
        const [x, kernel, y] = [images(step, "x"), new Kernel(step, "kernel"), images(step, "y")];
        const { window, depthwise } = step.options;
        const { SH, SW, DH, DW, top, left } = geometryOf(step);
        const { channels, kernels } = groupsOf(step);
        const [n, p, q, f] = y.full(index);
        const first = Math.floor(f / kernels) * channels; // of the group's channels
        const terms = [];
        for (const [h, w, i, j] of cellsOf(step, [p, q], [x.length(1), x.length(2)])) {
          for (let c = 0; c < channels; c++)
            terms.push(
              product([x.factor(n, h, w, first + c), kernel.factor(i, j, c, f)], { group: first + c, cell: [i, j] }),
            );
        }
        const padded = window[0] * window[1] * channels - terms.length;
        for (const [, , i, j] of paddingOf(step, [p, q], [x.length(1), x.length(2)])) {
          for (let c = 0; c < channels; c++)
            terms.push(...paddedTerms(kernel.factor(i, j, c, f), { group: first + c, cell: [i, j] }));
        }
        const bias = step.arrays.bias ? plain(step, "bias") : null;
        if (bias) terms.push(product([bias.factor(f)], { part: "bias" }));
        const channel = depthwise ? first : shifted(first, "c");
        const pixel = x.text(n, place(p * SH - top, DH, "i"), place(q * SW - left, DW, "j"), channel);
        return {
          terms,
          grid: window,
          grouped: ["c", "input channel"],
          formula: `${y.text(n, p, q, f)} = ${bias ? `${bias.text(f)} + ` : ""}Σ ${pixel} · ${kernel.text("i", "j", "c", f)}`,
          words:
            `The window at this position holds ${times([...window, channels].slice(-kernel.array.rank + 1))} numbers of ${x.name}. Each is multiplied by the weight at the same place of kernel ${f}; ` +
            `the products are added${bias ? ", and the bias" : ""}.` +
            (padded ? ` ${plural(padded, "product")} on the padding would be 0.` : ""),
        };
      },
    },
    dx: {
      direction: "backward",
      views: ["dy", "kernel", "dx"],
      of(step, index) {
        const [dy, kernel, dx] = [images(step, "dy"), new Kernel(step, "kernel"), images(step, "dx")];
        const { window, depthwise } = step.options;
        const { SH, SW, DH, DW, top, left } = geometryOf(step);
        const { channels, kernels } = groupsOf(step);
        const [n, h, w, c] = dx.full(index);
        const first = Math.floor(c / channels) * kernels; // of the group's kernels
        const terms = [];
        for (const [p, q, i, j] of windowsWith(step, [h, w], [dy.length(1), dy.length(2)])) {
          for (let f = first; f < first + kernels; f++)
            terms.push(
              product([dy.factor(n, p, q, f), kernel.factor(i, j, c % channels, f)], { group: f, cell: [i, j] }),
            );
        }
        const [output, weight] = depthwise ? [shifted(first, "m"), "m"] : ["f", "f"];
        return {
          terms,
          grid: window,
          turned: window[0] * window[1] > 1 ? `${dy.name}, turned by 180°` : dy.name,
          grouped: ["f", "kernel"],
          formula: `${dx.text(n, h, w, c)} = Σ ${dy.text(n, windowOf(h + top, SH, DH, "i"), windowOf(w + left, SW, DW, "j"), output)} · ${kernel.text("i", "j", depthwise ? c : c % channels, weight)}`,
          words:
            `In the forward pass, this number was in ${plural(terms.length / kernels, "window")}, each seen by ${plural(kernels, "kernel")}. On the way back, every one of these outputs ` +
            `sends its gradient ${dy.name}, times the weight that this number was multiplied by${terms.length > kernels ? ": the last window saw it in the kernel's first place" : ""}.`,
        };
      },
    },
    dkernel: {
      direction: "backward",
      views: ["x", "dy", "dkernel"],
      of(step, index) {
        const [x, dy, dkernel] = [images(step, "x"), images(step, "dy"), new Kernel(step, "dkernel")];
        const { SH, SW, DH, DW, top, left } = geometryOf(step);
        const { channels, kernels } = groupsOf(step);
        const [i, j, c, f] = dkernel.full(index);
        const channel = Math.floor(f / kernels) * channels + c;
        const size = [x.length(1), x.length(2)];
        const terms = positionsOf(dy).flatMap(([n, p, q]) => {
          const [h, w] = [p * SH + i * DH - top, q * SW + j * DW - left];
          const [output, place] = [dy.factor(n, p, q, f), { group: n, cell: [p, q] }];
          return isOnImage([h, w], size)
            ? [product([x.factor(n, h, w, channel), output], place)]
            : paddedTerms(output, place);
        });
        return {
          terms: [...terms, ...penalty(step, "kernel", index)],
          grid: [dy.length(1), dy.length(2)],
          grouped: ["n", "sample"],
          formula: `${dkernel.text(i, j, c, f)} = Σ ${x.text("n", place(i * DH - top, SH, "p"), place(j * DW - left, SW, "q"), channel)} · ${dy.text("n", "p", "q", f)}`,
          words:
            `This one weight was used at ${plural(terms.length, "position")}. At each, it was multiplied by a number of ${x.name}; the output there has the gradient ${dy.name}. ` +
            `All the products ${x.name} · ${dy.name} are added, because the weight is shared by all positions.`,
        };
      },
    },
    dbias: {
      direction: "backward",
      views: ["dy", "dbias"],
      of(step, index) {
        const dy = images(step, "dy");
        const [f] = index;
        const terms = positionsOf(dy).map(([n, p, q]) => product([dy.factor(n, p, q, f)], { group: n, cell: [p, q] }));
        return {
          terms: [...terms, ...penalty(step, "bias", index)],
          grid: [dy.length(1), dy.length(2)],
          grouped: ["n", "sample"],
          formula: `dbias[${f}] = Σ ${dy.text("n", "p", "q", f)}`,
          words: `The bias was added at every position of output channel ${f}, so its gradient is the sum of ${dy.name} over all of them.`,
        };
      },
    },
  },
};
