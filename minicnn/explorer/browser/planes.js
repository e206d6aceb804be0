// Planes: which elements of an array a picture shows, and where.

import { limitOf } from "./colours.js";
import { plural } from "./numbers.js";

/** The same for the elements of a picture. */
export function limitOfPlane(array, plane) {
  const values = [];
  for (let row = 0; row < plane.rows; row++) {
    for (let column = 0; column < plane.columns; column++) {
      const index = plane.indexAt(row, column);
      if (index) values.push(array.get(index));
    }
  }
  return limitOf(values);
}

/** Columns of a picture of `count` numbers without a shape of their own. */
const gridColumns = (count) => (count <= 16 ? count : Math.max(16, Math.ceil(Math.sqrt(count))));

/**
 * A picture of an array: rows × columns of its elements. `indexAt(row, column)` is the element's index, null where there
 * is none, and `cellOf(index)` the way back, null for elements that are not in the picture.
 */
function gridPlane(count, indexAt, positionOf) {
  const columns = gridColumns(count);
  return {
    rows: Math.ceil(count / columns),
    columns,
    square: true,
    indexAt: (row, column) => (row * columns + column < count ? indexAt(row * columns + column) : null),
    cellOf(index) {
      const at = positionOf(index);
      return at === null ? null : [Math.floor(at / columns), at % columns];
    },
  };
}

/** The picture of an array with samples on its first axis that contains the element at `index`. */
export function samplePlane(array, index) {
  const [n, channel] = [index[0], index.at(-1)];
  const { shape, rank } = array;
  if (rank === 4) {
    return {
      rows: shape[1],
      columns: shape[2],
      square: true,
      caption: shape[3] > 1 ? `channel ${channel} of ${shape[3]}` : "",
      indexAt: (row, column) => [n, row, column, channel],
      cellOf: (at) => (at[0] === n && at[3] === channel ? [at[1], at[2]] : null),
    };
  }
  if (rank === 3) {
    return {
      rows: shape[1],
      columns: shape[2],
      square: false,
      caption: "steps ↓ channels →",
      indexAt: (row, column) => [n, row, column],
      cellOf: (at) => (at[0] === n ? [at[1], at[2]] : null),
    };
  }
  const size = array.data.length / shape[0];
  const plane = gridPlane(
    size,
    (at) => array.index(n * size + at),
    (at) => (at[0] === n ? array.offset(at) - n * size : null),
  );
  return { ...plane, caption: plane.rows > 1 ? `${plural(size, "number")}, row by row` : "" };
}

/** The picture of a weight array that contains the element at `index`; a dense kernel's runs along axis `across`. */
export function weightPlane(array, index, across = 0) {
  const { shape, rank } = array;
  if (rank === 4) {
    const [, , c, f] = index;
    return {
      rows: shape[0],
      columns: shape[1],
      square: true,
      caption: `input channel ${c}, kernel ${f}`,
      indexAt: (row, column) => [row, column, c, f],
      cellOf: (at) => (at[2] === c && at[3] === f ? [at[0], at[1]] : null),
    };
  }
  if (rank === 3) {
    const f = index[2];
    return {
      rows: shape[0],
      columns: shape[1],
      square: false,
      caption: `kernel ${f}: steps ↓ channels →`,
      indexAt: (row, column) => [row, column, f],
      cellOf: (at) => (at[2] === f ? [at[0], at[1]] : null),
    };
  }
  if (rank === 2) {
    const fixed = index[1 - across];
    const whole = (at) => (across === 0 ? [at, fixed] : [fixed, at]);
    const plane = gridPlane(shape[across], whole, (at) => (at[1 - across] === fixed ? at[across] : null));
    return { ...plane, caption: across === 0 ? `the weights to unit ${fixed}` : `the weights from input ${fixed}` };
  }
  if (rank === 0)
    return {
      ...gridPlane(
        1,
        () => [],
        () => 0,
      ),
      caption: "",
    };
  return {
    ...gridPlane(
      shape[0],
      (at) => [at],
      ([at]) => at,
    ),
    caption: "",
  };
}

/** Whether an array has samples on its first axis; the others are weights and their gradients. */
export const isSampled = (name) => /^d?[xyz]\d*$|^(p|target|mask|offset|slope)$/.test(name);

/** The channels of a sample with the largest absolute sums. */
export function strongest(array, n) {
  const C = array.shape.at(-1);
  const size = array.data.length / array.shape[0];
  const sums = new Float64Array(C);
  for (let at = 0; at < size; at++) sums[at % C] += Math.abs(array.data[n * size + at]) || 0;
  return [...sums.keys()]
    .sort((a, b) => sums[b] - sums[a])
    .slice(0, MOST_TILES)
    .sort((a, b) => a - b);
}

const MOST_TILES = 16;

/** All of a sample in one picture: the strongest channels of an image as tiles, with gaps of no number between them. */
export function overviewPlane(array, n, channels) {
  if (array.rank !== 4) return samplePlane(array, [n, ...array.shape.slice(1).map(() => 0)]);
  const [, H, W] = array.shape;
  const columns = Math.ceil(Math.sqrt(channels.length));
  const gap = channels.length > 1 && H * W > 1 ? Math.max(1, Math.round(W / 12)) : 0;
  return {
    rows: Math.ceil(channels.length / columns) * (H + gap) - gap,
    columns: columns * (W + gap) - gap,
    square: true,
    indexAt(row, column) {
      const [r, c] = [row % (H + gap), column % (W + gap)];
      const tile = Math.floor(row / (H + gap)) * columns + Math.floor(column / (W + gap));
      return r < H && c < W && tile < channels.length ? [n, r, c, channels[tile]] : null;
    },
    cellOf: () => null,
  };
}

/** A kernel as one picture: tiles of its windows, input channels downwards and filters across. */
export function tilesOf(array) {
  const { shape, rank } = array;
  if (rank === 2)
    return {
      rows: shape[0],
      columns: shape[1],
      square: false,
      indexAt: (row, column) => [row, column],
      cellOf: () => null,
    };
  const [KH, KW, C, F] = rank === 3 ? [1, ...shape] : shape;
  const [across, down] = C === 1 ? [Math.ceil(Math.sqrt(F)), Math.ceil(F / Math.ceil(Math.sqrt(F)))] : [F, C];
  return {
    rows: down * (KH + 1) - 1,
    columns: across * (KW + 1) - 1,
    square: true,
    cellOf: () => null,
    indexAt(row, column) {
      const [i, j] = [row % (KH + 1), column % (KW + 1)];
      const [r, k] = [Math.floor(row / (KH + 1)), Math.floor(column / (KW + 1))];
      const [c, f] = C === 1 ? [0, r * across + k] : [r, k];
      if (i === KH || j === KW || f >= F) return null;
      return rank === 3 ? [j, c, f] : [i, j, c, f];
    },
  };
}
