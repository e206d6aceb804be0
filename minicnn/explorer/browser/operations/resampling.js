// Images of another size or at another place: padding, cropping, repeated pixels, mirrored and shifted images.
//
// Each number of y is a mean of a few of x: y[p, q] = Σ rows[p, h] · columns[q, w] · x[h, w], where most weights are 0.

import { plural } from "../numbers.js";
import { elementwise, factorAt, images, number, product, textAt } from "./products.js";

const ABOUT = {
  Cropping: "Cuts off the borders.",
  RandomFlip: "Mirrors some of the images, drawn anew in every training step.",
  RandomTranslation: "Shifts every image by a random distance, drawn anew in every training step.",
  UpSampling: "Repeats every number, or takes means of neighbouring ones.",
  ZeroPadding: "Puts zeros around.",
};
const TITLES = {
  Cropping: "cropping",
  RandomFlip: "random flip",
  RandomTranslation: "random shift",
  UpSampling: "upsampling",
  ZeroPadding: "zero padding",
};
const kindOf = (step) => step.class.replace(/[12]D$/, "");

/** The positions with a weight in a row, or with `across` in a column, of sample n's matrix: [position, weight]. */
function weightsOf(matrix, n, at, across) {
  const own = matrix.shape[0] === 1 ? 0 : n;
  const length = matrix.shape[across ? 1 : 2];
  const weights = Array.from({ length }, (_, k) => [k, matrix.get(across ? [own, k, at] : [own, at, k])]);
  return weights.filter(([, weight]) => weight);
}

/** Products of the elements that are combined with the one at [n, row, column, c], forward or backward. */
function products(step, input, [n, row, column, c], across) {
  const source = images(step, input);
  const { rows, columns } = step.arrays;
  return weightsOf(rows, n, row, across).flatMap(([h, a]) =>
    weightsOf(columns, n, column, across).map(([w, b]) =>
      product([source.factor(n, h, w, c), ...(a * b === 1 ? [] : [number("share", a * b)])]),
    ),
  );
}

export const resampling = {
  title: (step) => TITLES[kindOf(step)],
  about: (step) => ABOUT[kindOf(step)],
  targets: {
    y: elementwise("forward", ["x", "offset", "y"], (step, index) => {
      const y = images(step, "y");
      const terms = products(step, "x", y.full(index), false);
      const filling = step.arrays.offset && factorAt(step, "offset", index);
      if (filling?.value) terms.push(product([{ ...filling, name: "fill value" }], { part: "filling" }));
      return {
        terms,
        formula: `${textAt(step, "y", index)} = ${terms.length ? "Σ share · x" : "0"}`,
        words:
          terms.length === 0
            ? "Nothing of the image lies here: it is filled with 0."
            : terms.length === 1
              ? "The number comes from one place of x."
              : `The number is a mean of ${plural(terms.length, "number")}, which lie around the place that it comes from.`,
      };
    }),
    dx: elementwise("backward", ["dy", "dx"], (step, index) => {
      const terms = products(step, "dy", images(step, "dx").full(index), true);
      return {
        terms,
        formula: `${textAt(step, "dx", index)} = ${terms.length ? "Σ share · dy" : "0"}`,
        words: terms.length
          ? `The number went to ${plural(terms.length, "place")} of y. The gradients from there are added.`
          : "The number was cut off: it has no influence on the loss, so its gradient is 0.",
      };
    }),
  },
};
