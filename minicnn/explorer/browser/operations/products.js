// What operations are made of: products with the places of their factors.
//
// OPERATIONS[kind].targets has an entry for each array that the operation computes. Its `of(step, index)` returns
//   terms    [{ value, factors: [{ name, index, value }], part, group, cell }]: the products;
//            `group` and `cell` are the place of a product in the close-up: the channel, and [row, column]
//   result   their sum, unless another rule is given (the largest, a share)
//   formula  the formula with the index filled in
//   words    the same in a sentence

import { written } from "../numbers.js";

/** One of a step's arrays, read by the operation's own axes: a Conv1D's input is an image of height 1. */
export class Reader {
  constructor(step, name, axes) {
    this.array = step.arrays[name];
    this.name = step.symbols[name] ?? name;
    this.key = name;
    this.axes = axes ?? this.array.shape.map((_, axis) => axis);
  }

  /** The length of one of the operation's axes. */
  length(axis) {
    const own = this.axes.indexOf(axis);
    return own < 0 ? 1 : this.array.shape[own];
  }

  own(index) {
    return this.axes.map((axis) => index[axis]);
  }

  /** The array's own index, extended by 0 on the axes that it does not have. */
  full(own, rank = 4) {
    const index = new Array(rank).fill(0);
    this.axes.forEach((axis, at) => (index[axis] = own[at]));
    return index;
  }

  factor(...index) {
    const own = this.own(index);
    return { name: this.name, key: this.key, index: own, value: this.array.get(own) };
  }

  text(...index) {
    return written(this.name, this.own(index));
  }
}

const IMAGE_AXES = { 4: [0, 1, 2, 3], 3: [0, 2, 3], 2: [0, 3] };
export const images = (step, name) => new Reader(step, name, IMAGE_AXES[step.arrays[name].rank]);
export const plain = (step, name) => new Reader(step, name);
export const factorAt = (step, name, index) => plain(step, name).factor(...index);
export const textAt = (step, name, index) => plain(step, name).text(...index);
export const number = (name, value) => ({ name, key: null, index: null, value });

export function product(factors, place = {}) {
  return { factors, value: factors.reduce((value, factor) => value * factor.value, 1), ...place };
}

/** The gradient of a weight's penalty, if it has one: it belongs to the stored gradient. */
export function penalty(step, name, index) {
  const key = `penalty_${name}`;
  return step.arrays[key] ? [product([{ ...factorAt(step, key, index), name: "penalty" }], { part: "penalty" })] : [];
}

/** Window, strides and dilation of a convolution or pooling, and the padding above and to the left of the image. */
export function geometryOf({ options: { window, strides, pads, dilation = [1, 1] } }) {
  const [[KH, KW], [SH, SW], [DH, DW], [top, left]] = [window, strides, dilation, pads];
  return { KH, KW, SH, SW, DH, DW, top, left };
}

/** The windows of a convolution or pooling that contain pixel (h, w): [p, q, i, j]. */
export function* windowsWith(step, [h, w], [OH, OW]) {
  const { KH, KW, SH, SW, DH, DW, top, left } = geometryOf(step);
  for (let i = 0; i < KH; i++) {
    for (let j = 0; j < KW; j++) {
      const [p, q] = [(h + top - i * DH) / SH, (w + left - j * DW) / SW];
      if (Number.isInteger(p) && Number.isInteger(q) && p >= 0 && q >= 0 && p < OH && q < OW) yield [p, q, i, j];
    }
  }
}

/** The cells of window (p, q), on the image or on the padding around it: [h, w, i, j]. */
function* windowAt(step, [p, q]) {
  const { KH, KW, SH, SW, DH, DW, top, left } = geometryOf(step);
  for (let i = 0; i < KH; i++) for (let j = 0; j < KW; j++) yield [p * SH + i * DH - top, q * SW + j * DW - left, i, j];
}

export const isOnImage = ([h, w], [H, W]) => h >= 0 && w >= 0 && h < H && w < W;
export const cellsOf = (step, position, size) => [...windowAt(step, position)].filter((cell) => isOnImage(cell, size));
export const paddingOf = (step, position, size) =>
  [...windowAt(step, position)].filter((cell) => !isOnImage(cell, size));

/** The product of a number with the padding, where it isn't 0: 0 times NaN or ∞ is NaN. */
export const paddedTerms = (factor, place) =>
  Number.isFinite(factor.value) ? [] : [product([number("padding", 0), factor], place)];

/** All indices of an array without its last axis. */
export function rowsOf(array) {
  const count = array.data.length / array.shape.at(-1);
  return Array.from({ length: count }, (_, row) => array.index(row * array.shape.at(-1)).slice(0, -1));
}

export const rowLetters = (array) => ["n", "p", "q", "r"].slice(0, array.rank - 1);

/** A target whose elements depend on the element at the same place: one product, or a few. */
export function elementwise(direction, views, of) {
  return { direction, views, of };
}
