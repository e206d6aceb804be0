// Numbers: the arrays of Python, and how a number is written.

/** An array of Python's: its numbers in C order, and its shape. */
export class NDArray {
  constructor(data, shape) {
    this.data = data;
    this.shape = shape;
    this.strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  }

  offset(index) {
    let offset = 0;
    for (let axis = 0; axis < index.length; axis++) offset += index[axis] * this.strides[axis];
    return offset;
  }

  get(index) {
    return this.data[this.offset(index)];
  }

  index(offset) {
    return this.strides.map((stride, axis) => Math.floor(offset / stride) % this.shape[axis]);
  }

  get rank() {
    return this.shape.length;
  }
}

/** The network with its arrays: numbers of the buffer are replaced by the arrays that they count. */
export function readNetwork(description, numbers) {
  const bytes =
    numbers instanceof DataView
      ? new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)
      : new Uint8Array(numbers);
  const buffer = bytes.byteOffset % 8 ? bytes.slice().buffer : bytes.buffer;
  const start = bytes.byteOffset % 8 ? 0 : bytes.byteOffset;
  const arrays = description.arrays.map(({ shape, at, type }) => {
    const length = shape.reduce((a, b) => a * b, 1);
    const Kind = type === "float64" ? Float64Array : Float32Array;
    return new NDArray(new Kind(buffer, start + at, length), shape);
  });
  const withArrays = (names) => Object.fromEntries(Object.entries(names).map(([name, at]) => [name, arrays[at]]));
  const steps = description.steps.map((step) => ({ ...step, arrays: withArrays(step.arrays) }));
  const training = description.training && {
    ...description.training,
    loss: arrays[description.training.loss],
    parameters: description.training.parameters.map((parameter) => ({ ...parameter, ...withArrays(parameter.arrays) })),
    units: description.training.units.map((layer) => ({ ...layer, silent: arrays[layer.silent] })),
  };
  return { ...description, steps, training };
}

/** Six digits of the number as float32, the precision in which weights are stored. */
export function shown(value) {
  const number = Math.fround(value);
  if (Number.isNaN(number)) return "NaN";
  if (!Number.isFinite(number)) return number > 0 ? "∞" : "−∞";
  if (number === 0) return "0";
  return minus(Math.abs(number) < 1e-3 ? number.toExponential(5) : number.toPrecision(6));
}

/** Three digits, for places without room. */
export function brief(value) {
  if (!Number.isFinite(value)) return shown(value);
  const size = Math.abs(value);
  if (size === 0) return "0";
  return minus(size >= 1e-3 && size < 1e4 ? String(Number(value.toPrecision(3))) : value.toExponential(1));
}

const minus = (text) => text.replaceAll("-", "−");
/** The absolute value, for an order in which NaN comes first. */
export const size = (value) => (Number.isNaN(value) ? Infinity : Math.abs(value));
/** The largest absolute value; NaN does not count. A loop: a function takes no more than about 100 000 arguments. */
export const largestSize = (numbers) => numbers.reduce((most, number) => Math.max(most, Math.abs(number) || 0), 0);
export const total = (numbers) => numbers.reduce((sum, number) => sum + number, 0);
export const written = (name, index) => (index.length ? `${name}[${index.join(", ")}]` : name);
export const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
export const times = (lengths) => lengths.join(" × ");

/** "4 + i" for 4 and "i", "i − 1" for −1 and "i". */
export function shifted(start, letter) {
  if (start === 0) return letter;
  return start > 0 ? `${start} + ${letter}` : `${letter} − ${-start}`;
}
