// The explorer: one training step of a network, from the input to the loss and back, number by number.
//
// An ES module after the convention of anywidget: the same code runs in a notebook and in an exported page. Python gives
// a description of the network, model.get("network"), and one buffer with all arrays, model.get("numbers").
//
//   1  numbers      arrays, and how a number is written
//   2  operations   for each operation: which products sum to one element, forward and backward
//   3  pictures     arrays as pictures with zero in the middle of the colour scale
//   4  overview     all layers side by side, and the player
//   5  opened       one element of one layer: its products, their sum, and the stored number
//   6  training     a recorded training: loss, kernels, silent units, update-to-weight ratio

export default { render };

export function render({ model, el }) {
  const network = readNetwork(model.get("network"), model.get("numbers"));
  const explorer = new Explorer(network, el);
  return () => explorer.remove();
}

// ---------------------------------------------------------------------------------------------------- 1 numbers

/** An array of Python's: its numbers in C order, and its shape. */
class NDArray {
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
function readNetwork(description, numbers) {
  const bytes = numbers instanceof DataView ? new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength) : new Uint8Array(numbers);
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
function brief(value) {
  if (!Number.isFinite(value)) return shown(value);
  const size = Math.abs(value);
  if (size === 0) return "0";
  return minus(size >= 1e-3 && size < 1e4 ? String(Number(value.toPrecision(3))) : value.toExponential(1));
}

const minus = (text) => text.replaceAll("-", "−");
const total = (numbers) => numbers.reduce((sum, number) => sum + number, 0);
const written = (name, index) => (index.length ? `${name}[${index.join(", ")}]` : name);
const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
const times = (lengths) => lengths.join(" × ");

/** "4 + i" for 4 and "i", "i − 1" for −1 and "i". */
function shifted(start, letter) {
  if (start === 0) return letter;
  return start > 0 ? `${start} + ${letter}` : `${letter} − ${-start}`;
}

// ------------------------------------------------------------------------------------------------- 2 operations
//
// OPERATIONS[kind] has a target for each array that the operation computes. A target's `of(step, index)` returns
//   terms    [{ value, factors: [{ name, index, value }], part, group, cell }]: the products;
//            `group` and `cell` are the place of a product in the close-up: the channel, and [row, column]
//   result   their sum, unless another rule is given (the largest, a share)
//   formula  the formula with the index filled in
//   words    the same in a sentence

/** One of a step's arrays, read by the operation's own axes: a Conv1D's input is an image of height 1. */
class Reader {
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
const KERNEL_AXES = { 4: [0, 1, 2, 3], 3: [1, 2, 3] };
const images = (step, name) => new Reader(step, name, IMAGE_AXES[step.arrays[name].rank]);
const kernels = (step, name) => new Reader(step, name, KERNEL_AXES[step.arrays[name].rank]);
const plain = (step, name) => new Reader(step, name);
const number = (name, value) => ({ name, key: null, index: null, value });

function product(factors, place = {}) {
  return { factors, value: factors.reduce((value, factor) => value * factor.value, 1), ...place };
}

/** The gradient of a weight's penalty, if it has one: it belongs to the stored gradient. */
function penalty(step, name, index) {
  const key = `penalty_${name}`;
  return step.arrays[key] ? [product([{ ...plain(step, key).factor(...index), name: "penalty" }], { part: "penalty" })] : [];
}

/** The windows of a convolution or pooling that contain pixel (h, w): [p, q, i, j]. */
function* windowsWith(step, [h, w], [OH, OW]) {
  const { window: [KH, KW], strides: [SH, SW], pads: [top, left] } = step.options;
  for (let i = 0; i < KH; i++) {
    for (let j = 0; j < KW; j++) {
      const [p, q] = [(h + top - i) / SH, (w + left - j) / SW];
      if (Number.isInteger(p) && Number.isInteger(q) && p >= 0 && q >= 0 && p < OH && q < OW) yield [p, q, i, j];
    }
  }
}

/** The cells of window (p, q) that lie on the image: [h, w, i, j]. */
function* cellsOf(step, [p, q], [H, W]) {
  const { window: [KH, KW], strides: [SH, SW], pads: [top, left] } = step.options;
  for (let i = 0; i < KH; i++) {
    for (let j = 0; j < KW; j++) {
      const [h, w] = [p * SH + i - top, q * SW + j - left];
      if (h >= 0 && w >= 0 && h < H && w < W) yield [h, w, i, j];
    }
  }
}

const conv = {
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

const dense = {
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
        for (let c = 0; c < kernel.length(0); c++) terms.push(product([x.factor(...rows, c), kernel.factor(c, f)], { cell: [c] }));
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
        for (let f = 0; f < kernel.length(1); f++) terms.push(product([dy.factor(...rows, f), kernel.factor(c, f)], { cell: [f] }));
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
        const terms = rowsOf(x.array).map((row, at) => product([x.factor(...row, c), dy.factor(...row, f)], { cell: [at] }));
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

/** All indices of an array without its last axis. */
function rowsOf(array) {
  const count = array.data.length / array.shape.at(-1);
  return Array.from({ length: count }, (_, row) => array.index(row * array.shape.at(-1)).slice(0, -1));
}

const rowLetters = (array) => ["n", "p", "q", "r"].slice(0, array.rank - 1);

/** A target whose elements depend on the element at the same place: one product, or a few. */
function elementwise(direction, views, of) {
  return { direction, views, of };
}

const relu = (x) => (Number.isNaN(x) ? x : Math.max(x, 0));
const sigmoid = (x) => 0.5 * (1 + Math.tanh(0.5 * x));

const FORWARDS = {
  linear: [(x) => x, (x) => x],
  relu: [relu, (x) => `max(${x}, 0)`],
  sigmoid: [sigmoid, (x) => `1 / (1 + exp(−${x}))`],
  tanh: [Math.tanh, (x) => `tanh(${x})`],
};

/** The factors besides dy of an activation's derivative, as functions of the output y. */
const SLOPES = {
  linear: () => [],
  relu: (y) => [number(y.value > 0 ? "let through, 1" : "blocked, 0", y.value > 0 ? 1 : 0)],
  sigmoid: (y) => [y, number(`1 − ${y.name}`, 1 - y.value)],
  tanh: (y) => [number(`1 − ${y.name}²`, 1 - y.value * y.value)],
};
const SLOPE_FORMULAS = { linear: () => "", relu: (y) => ` · (1 if ${y} > 0 else 0)`, sigmoid: (y) => ` · ${y} · (1 − ${y})`, tanh: (y) => ` · (1 − ${y}²)` };

const activation = {
  title: (step) => step.options.activation,
  about: (step) =>
    ({
      relu: "Negative numbers become 0, the others stay.",
      sigmoid: "Squeezes every number between 0 and 1.",
      tanh: "Squeezes every number between −1 and 1.",
      softmax: "Makes positive numbers that sum to 1.",
      linear: "Leaves every number as it is.",
    })[step.options.activation],
  targets: {
    y: elementwise("forward", ["x", "y"], (step, index) => {
      if (step.options.activation === "softmax") return softmaxOf(step, "x", "y", index);
      const [x, y] = [plain(step, "x").factor(...index), plain(step, "y")];
      const [compute, formula] = FORWARDS[step.options.activation];
      return {
        terms: [product([x])],
        result: compute(x.value),
        formula: `${y.text(...index)} = ${formula(written(x.name, index))}`,
        words: step.options.activation !== "relu" ? "One number in, one number out." : x.value > 0 ? "The number is positive, so ReLU lets it through." : "The number is not positive, so ReLU makes it 0.",
      };
    }),
    dx: elementwise("backward", ["dy", "y", "dx"], (step, index) => {
      const [dy, y, dx] = ["dy", "y", "dx"].map((name) => plain(step, name));
      const name = step.options.activation;
      if (name === "softmax") {
        const row = index.slice(0, -1);
        const own = y.factor(...index);
        const others = Array.from({ length: y.array.shape.at(-1) }, (_, k) =>
          product([number("−1", -1), own, dy.factor(...row, k), y.factor(...row, k)], { part: "through the sum", cell: [k] }),
        );
        return {
          terms: [product([own, dy.factor(...index)], { part: "direct" }), ...others],
          formula: `${dx.text(...index)} = ${y.text(...index)} · (${dy.text(...index)} − Σ ${dy.text(...row, "k")} · ${y.text(...row, "k")})`,
          words: "Each output depends on all inputs, since all of them are in the sum that softmax divides by.",
        };
      }
      const out = y.factor(...index);
      return {
        terms: [product([dy.factor(...index), ...SLOPES[name](out)])],
        formula: `${dx.text(...index)} = ${dy.text(...index)}${SLOPE_FORMULAS[name](y.text(...index))}`,
        words:
          name !== "relu" ? `The gradient, times the slope of ${name} at this place.`
          : out.value > 0 ? "ReLU let this number through in the forward pass, so its gradient passes unchanged."
          : "ReLU had made this number 0: changing it a little changes nothing, so its gradient is 0.",
      };
    }),
  },
};

/** y[k] = e^x[k] / Σ e^x, with the largest x subtracted first, as minicnn does. */
function softmaxOf(step, input, output, index) {
  const [x, y] = [plain(step, input), plain(step, output)];
  const row = index.slice(0, -1);
  const factors = Array.from({ length: x.array.shape.at(-1) }, (_, k) => x.factor(...row, k));
  const largest = factors.reduce((most, { value }) => (value > most || Number.isNaN(value) ? value : most), -Infinity);
  const terms = factors.map((factor, k) => ({ factors: [factor], value: Math.exp(factor.value - largest), cell: [k] }));
  return {
    terms,
    result: terms[index.at(-1)].value / total(terms.map(({ value }) => value)),
    chosen: index.at(-1),
    listed: `exp(${x.name} − the largest ${x.name})`,
    rule: "its share of the sum",
    formula: `${y.text(...index)} = exp(${x.text(...index)}) / Σ exp(${x.text(...row, "k")})`,
    words: "Softmax makes every number positive by the exponential function, then divides by the sum: what comes out are probabilities. (The largest number is subtracted first, so that nothing overflows; the shares stay the same.)",
  };
}

const curve = {
  title: (step) => step.options.curve,
  about: () => "One number in, one number out.",
  targets: {
    y: elementwise("forward", ["x", "y"], (step, index) => {
      const [x, y] = [plain(step, "x").factor(...index), plain(step, "y")];
      return { terms: [product([x])], result: y.array.get(index), formula: `${y.text(...index)} = ${step.options.curve}(${written(x.name, index)})`, words: "One number in, one number out." };
    }),
    dx: elementwise("backward", ["dy", "slope", "dx"], (step, index) => {
      const [dy, slope, dx] = ["dy", "slope", "dx"].map((name) => plain(step, name));
      return { terms: [product([dy.factor(...index), slope.factor(...index)])], formula: `${dx.text(...index)} = ${dy.text(...index)} · ${slope.text(...index)}`, words: `The gradient, times the slope of ${step.options.curve} at this place.` };
    }),
  },
};

const generalRelu = {
  title: "ReLU",
  about: () => "A function of straight pieces.",
  targets: {
    y: elementwise("forward", ["x", "y"], (step, index) => {
      const { negative_slope, max_value, threshold } = step.options;
      const [x, y] = [plain(step, "x").factor(...index), plain(step, "y")];
      const low = x.value <= threshold ? (negative_slope ? negative_slope * (x.value - threshold) : 0) : x.value;
      return {
        terms: [product([x])],
        result: max_value !== null && !(x.value < max_value) ? max_value : low,
        formula: `${y.text(...index)} = ${max_value === null ? "" : `${max_value} where x ≥ ${max_value}, `}x where x > ${threshold}, else ${negative_slope} · (x − ${threshold})`,
        words: "One number in, one number out.",
      };
    }),
    dx: elementwise("backward", ["dy", "x", "dx"], (step, index) => {
      const { negative_slope, max_value, threshold } = step.options;
      const [dy, x, dx] = ["dy", "x", "dx"].map((name) => plain(step, name));
      const at = x.factor(...index).value;
      const slope = max_value !== null && !(at < max_value) ? 0 : at > threshold ? 1 : negative_slope;
      return {
        terms: [product([dy.factor(...index), number("slope", slope)])],
        formula: `${dx.text(...index)} = ${dy.text(...index)} · slope`,
        words: "The gradient, times the slope of the piece that x lies on.",
      };
    }),
  },
};

/** NumPy's argmax: the first of equal numbers; the first NaN wins. */
function winnerOf(values) {
  let winner = 0;
  for (let at = 1; at < values.length && !Number.isNaN(values[winner]); at++) {
    if (values[at] > values[winner] || Number.isNaN(values[at])) winner = at;
  }
  return winner;
}

const maxPool = {
  title: "max pooling",
  about: (step) => `The largest number of each window of ${times(step.options.window)} stays; the others are dropped.`,
  targets: {
    y: {
      direction: "forward",
      views: ["x", "y"],
      of(step, index) {
        const [x, y] = [images(step, "x"), images(step, "y")];
        const [n, p, q, c] = y.full(index);
        const cells = [...cellsOf(step, [p, q], [x.length(1), x.length(2)])];
        const terms = cells.map(([h, w, i, j]) => product([x.factor(n, h, w, c)], { cell: [i, j] }));
        const winner = winnerOf(terms.map(({ value }) => value));
        terms[winner].part = "won";
        return {
          terms,
          grid: step.options.window,
          result: terms[winner].value,
          chosen: winner,
          listed: "the numbers of the window",
          rule: "the largest",
          formula: `${y.text(n, p, q, c)} = max ${x.text(n, "…", "…", c)} over the window`,
          words: `Of the ${plural(terms.length, "number")} in this window, the largest is kept: ${written(x.name, terms[winner].factors[0].index)}.`,
        };
      },
    },
    dx: {
      direction: "backward",
      views: ["x", "dy", "dx"],
      of(step, index) {
        const [x, dy, dx] = ["x", "dy", "dx"].map((name) => images(step, name));
        const [n, h, w, c] = dx.full(index);
        const size = [x.length(1), x.length(2)];
        const terms = [...windowsWith(step, [h, w], [dy.length(1), dy.length(2)])].map(([p, q, i, j]) => {
          const cells = [...cellsOf(step, [p, q], size)];
          const winner = cells[winnerOf(cells.map(([u, v]) => x.factor(n, u, v, c).value))];
          const won = winner[2] === i && winner[3] === j;
          const others = cells.filter((cell) => cell !== winner).map(([u, v]) => x.factor(n, u, v, c));
          return product([dy.factor(n, p, q, c), number(won ? "won, 1" : "lost, 0", won ? 1 : 0)], { also: [x.factor(n, winner[0], winner[1], c), ...others] });
        });
        const wins = terms.filter((term) => term.factors[1].value).length;
        return {
          terms,
          formula: `${dx.text(n, h, w, c)} = Σ ${dy.text(n, "p", "q", c)} over the windows that it won`,
          words:
            terms.length === 0 ? "No window contains this number: it was dropped at the border, so its gradient is 0."
            : wins ? `This number was the largest in ${plural(wins, "window")}, so it gets the gradient of ${wins === 1 ? "that output" : "those outputs"}. The thick frame in x is the winner of the window.`
            : "Another number of the window was larger: the thick frame in x. Changing this one a little changes nothing, so its gradient is 0.",
        };
      },
    },
  },
};

const counted = (step, p, q, size) => [...cellsOf(step, [p, q], size)].length;

const averagePool = {
  title: "average pooling",
  about: (step) => `The mean of each window of ${times(step.options.window)}.`,
  targets: {
    y: {
      direction: "forward",
      views: ["x", "y"],
      of(step, index) {
        const [x, y] = [images(step, "x"), images(step, "y")];
        const [n, p, q, c] = y.full(index);
        const cells = [...cellsOf(step, [p, q], [x.length(1), x.length(2)])];
        const share = number(`1 / ${cells.length}`, 1 / cells.length);
        return {
          terms: cells.map(([h, w, i, j]) => product([x.factor(n, h, w, c), share], { cell: [i, j] })),
          grid: step.options.window,
          formula: `${y.text(n, p, q, c)} = Σ ${x.text(n, "…", "…", c)} / ${cells.length} over the window`,
          words: `The mean of the ${plural(cells.length, "number")} in this window.`,
        };
      },
    },
    dx: {
      direction: "backward",
      views: ["dy", "dx"],
      of(step, index) {
        const [dy, dx] = [images(step, "dy"), images(step, "dx")];
        const [n, h, w, c] = dx.full(index);
        const size = [dx.length(1), dx.length(2)];
        const terms = [...windowsWith(step, [h, w], [dy.length(1), dy.length(2)])].map(([p, q, i, j]) => {
          const count = counted(step, p, q, size);
          return product([dy.factor(n, p, q, c), number(`1 / ${count}`, 1 / count)], { cell: [i, j] });
        });
        return {
          terms,
          grid: step.options.window,
          formula: `${dx.text(n, h, w, c)} = Σ ${dy.text(n, "p", "q", c)} / numbers in the window`,
          words: `All numbers of a window have the same share in its mean, so each gets the same share of its gradient. This one was in ${plural(terms.length, "window")}.`,
        };
      },
    },
  },
};

/** Batch norm's numbers for the channel of an element: x̂, mean and 1 / std are computed as in the textbook. */
function channelOf(step, index) {
  const axis = (step.options.axis + index.length) % index.length;
  const k = index[axis];
  const get = (name) => step.arrays[name].data[k];
  const [mean, inverse, gamma, beta] = ["mean", "inverse_std", "gamma", "beta"].map(get);
  const { data, shape } = step.arrays.x;
  const M = data.length / shape[axis];
  const normalized = (offset) => (data[offset] - mean) * inverse;
  const members = function* () {
    const { strides } = step.arrays.x;
    for (let offset = 0; offset < data.length; offset++) {
      if (Math.floor(offset / strides[axis]) % shape[axis] === k) yield offset;
    }
  };
  return { k, mean, inverse, gamma, beta, M, normalized, members };
}

const batchNorm = {
  title: "batch norm",
  about: (step) =>
    step.options.training ? "Gives every channel mean 0 and variance 1 over the batch, then a learned scale and shift." : "Scales and shifts every channel by fixed statistics.",
  targets: {
    y: elementwise("forward", ["x", "y"], (step, index) => {
      const [x, y] = [plain(step, "x"), plain(step, "y")];
      const { k, mean, inverse, gamma, beta, normalized } = channelOf(step, index);
      const hat = normalized(x.array.offset(index));
      return {
        terms: [product([number(`gamma[${k}]`, gamma), number("x̂", hat)], { part: "scaled" }), product([number(`beta[${k}]`, beta)], { part: "shifted" })],
        also: [x.factor(...index)],
        formula: `${y.text(...index)} = gamma[${k}] · (${x.text(...index)} − mean) / std + beta[${k}]`,
        words: `x̂ = (${shown(x.array.get(index))} − ${shown(mean)}) · ${shown(inverse)} = ${shown(hat)}: how many standard deviations x is away from the mean of its channel.`,
      };
    }),
    dx: {
      direction: "backward",
      views: ["dy", "x", "dx"],
      of(step, index) {
        const [dy, dx, x] = ["dy", "dx", "x"].map((name) => plain(step, name));
        const { k, inverse, gamma, M, normalized, members } = channelOf(step, index);
        const hat = normalized(x.array.offset(index));
        const scale = number(`gamma[${k}] / std`, gamma * inverse);
        const terms = [product([scale, dy.factor(...index)], { part: "direct" })];
        if (step.options.training) {
          let [sum, weighted] = [0, 0];
          for (const offset of members()) {
            sum += dy.array.data[offset];
            weighted += dy.array.data[offset] * normalized(offset);
          }
          terms.push(product([number("−1 / M", -1 / M), scale, number(`Σ ${dy.name}`, sum)], { part: "through the mean" }));
          terms.push(product([number("−1 / M", -1 / M), scale, number("x̂", hat), number(`Σ ${dy.name} · x̂`, weighted)], { part: "through the variance" }));
        }
        return {
          terms,
          marked: step.options.training ? { dy: members } : {},
          formula: `${dx.text(...index)} = gamma[${k}] / std · (${dy.text(...index)}${step.options.training ? ` − Σ ${dy.name} / M − x̂ · Σ ${dy.name} · x̂ / M` : ""})`,
          words: step.options.training
            ? `Three paths lead from this number to the loss: its own output, the mean of the channel and the variance of the channel. The last two go through all ${M.toLocaleString("en")} numbers of the channel, M in the formula.`
            : "Mean and variance are fixed numbers here, so there is only the direct path.",
        };
      },
    },
    dgamma: {
      direction: "backward",
      views: ["dy", "x", "dgamma"],
      of(step, index) {
        const dy = plain(step, "dy");
        const { k, normalized, members } = channelAt(step, index[0]);
        const terms = [...members()].map((offset) => product([dy.factor(...dy.array.index(offset)), number("x̂", normalized(offset))]));
        return {
          terms: [...terms, ...penalty(step, "gamma", index)],
          formula: `dgamma[${k}] = Σ ${dy.name} · x̂ over channel ${k}`,
          words: `gamma[${k}] multiplied every x̂ of its channel, so its gradient is the sum of ${dy.name} · x̂.`,
        };
      },
    },
    dbeta: {
      direction: "backward",
      views: ["dy", "dbeta"],
      of(step, index) {
        const dy = plain(step, "dy");
        const { k, members } = channelAt(step, index[0]);
        const terms = [...members()].map((offset) => product([dy.factor(...dy.array.index(offset))]));
        return {
          terms: [...terms, ...penalty(step, "beta", index)],
          formula: `dbeta[${k}] = Σ ${dy.name} over channel ${k}`,
          words: `beta[${k}] was added to every number of its channel, so its gradient is the sum of ${dy.name}.`,
        };
      },
    },
  },
};

function channelAt(step, k) {
  const index = step.arrays.x.shape.map(() => 0);
  index[(step.options.axis + index.length) % index.length] = k;
  return channelOf(step, index);
}

const dropout = {
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

const flatten = {
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

/** The loss and its gradient with respect to the logits z: p − y. */
const softmaxCrossentropy = {
  title: "softmax and cross-entropy",
  about: () => "Softmax makes probabilities p of the last layer's numbers. The loss is small if p is large at the right class.",
  targets: {
    p: elementwise("forward", ["z", "p"], (step, index) => softmaxOf(step, "z", "p", index)),
    loss: {
      direction: "forward",
      views: ["p", "target", "loss"],
      of(step) {
        const [z, p, target] = ["z", "p", "target"].map((name) => plain(step, name));
        const samples = z.array.data.length / z.array.shape.at(-1);
        const terms = [];
        for (const row of rowsOf(z.array)) {
          const logits = Array.from({ length: z.array.shape.at(-1) }, (_, k) => z.factor(...row, k).value);
          const largest = Math.max(...logits);
          const log = Math.log(total(logits.map((value) => Math.exp(value - largest))));
          logits.forEach((value, k) => {
            const y = target.factor(...row, k);
            if (y.value) terms.push(product([y, { ...p.factor(...row, k), name: "−log p", value: log - (value - largest) }, number(`1 / ${samples}`, 1 / samples)]));
          });
        }
        return {
          terms: [...terms, ...penalty(step, "loss", [])],
          formula: `loss = −Σ y · log p${samples > 1 ? ` / ${samples}` : ""}`,
          words: "y is 1 for the right class and 0 for the others, so only the probability of the right class counts. The loss is 0 if it is 1.",
        };
      },
    },
    dz: {
      direction: "backward",
      views: ["p", "target", "dz"],
      sign: "−",
      of(step, index) {
        const [p, target, dz] = ["p", "target", "dz"].map((name) => plain(step, name));
        const row = index.slice(0, -1);
        const samples = p.array.data.length / p.array.shape.at(-1);
        const sum = total(Array.from({ length: p.array.shape.at(-1) }, (_, k) => target.factor(...row, k).value));
        const share = samples > 1 ? [number(`1 / ${samples}`, 1 / samples)] : [];
        const all = sum === 1 ? [] : [number("Σ y", sum)];
        return {
          terms: [product([p.factor(...index), ...all, ...share]), product([number("−1", -1), target.factor(...index), ...share])],
          formula: `${dz.text(...index)} = ${samples > 1 ? "(" : ""}${p.text(...index)} − ${target.text(...index)}${samples > 1 ? `) / ${samples}` : ""}`,
          words: "The backward pass starts here. The gradient is the predicted probability minus the right answer: a class that got too much probability has a positive gradient, the right class a negative one.",
        };
      },
    },
  },
};

const crossentropy = {
  title: "cross-entropy",
  about: () => "The loss is small if the probability of the right class is large.",
  targets: {
    loss: {
      direction: "forward",
      views: ["z", "target", "loss"],
      of(step) {
        const target = plain(step, "target");
        const samples = target.array.data.length / target.array.shape.at(-1);
        const terms = [];
        target.array.data.forEach((y, offset) => {
          if (!y) return;
          const index = target.array.index(offset);
          terms.push(product([target.factor(...index), number(`−log q[${index.join(", ")}]`, -Math.log(clippedShare(step, index))), number(`1 / ${samples}`, 1 / samples)]));
        });
        return { terms: [...terms, ...penalty(step, "loss", [])], formula: `loss = −Σ y · log q / ${samples}`, words: "q is the prediction divided by its sum, at least 10⁻⁷. Only the right class counts." };
      },
    },
    dz: {
      direction: "backward",
      views: ["z", "target", "dz"],
      of(step, index) {
        const [z, target, dz] = ["z", "target", "dz"].map((name) => plain(step, name));
        const row = index.slice(0, -1);
        const samples = z.array.data.length / z.array.shape.at(-1);
        const sum = total(Array.from({ length: z.array.shape.at(-1) }, (_, k) => z.factor(...row, k).value));
        const slope = (k) => {
          const q = z.factor(...row, k).value / sum;
          return q >= 1e-7 && q <= 1 - 1e-7 ? -target.factor(...row, k).value / q / samples : 0;
        };
        const share = number("1 / Σ p", 1 / sum);
        const terms = [product([number("−y / q / N", slope(index.at(-1))), share], { part: "direct" })];
        for (let k = 0; k < z.array.shape.at(-1); k++) {
          terms.push(product([number("−1", -1), number(`−y[${k}] / q[${k}] / N`, slope(k)), number(`q[${k}]`, clippedShare(step, [...row, k])), share], { part: "through the sum" }));
        }
        return { terms, formula: `${dz.text(...index)} = (dq − Σ dq · q) / Σ p, dq = −y / q / N`, words: "The prediction is divided by its sum first, so there is a second path through that sum." };
      },
    },
  },
};

function clippedShare(step, index) {
  const z = step.arrays.z;
  const row = index.slice(0, -1);
  const sum = total(Array.from({ length: z.shape.at(-1) }, (_, k) => z.get([...row, k])));
  return Math.min(Math.max(z.get(index) / sum, 1e-7), 1 - 1e-7);
}

const meanSquaredError = {
  title: "mean squared error",
  about: () => "The mean of the squared differences between prediction and target.",
  targets: {
    loss: {
      direction: "forward",
      views: ["z", "target", "loss"],
      of(step) {
        const [z, target] = [plain(step, "z"), plain(step, "target")];
        const count = z.array.data.length;
        const terms = Array.from(z.array.data, (value, offset) => {
          const error = number(`error[${z.array.index(offset).join(", ")}]`, value - target.array.data[offset]);
          return product([error, error, number(`1 / ${count}`, 1 / count)]);
        });
        return { terms: [...terms, ...penalty(step, "loss", [])], formula: `loss = Σ (${z.name} − y)² / ${count}`, words: "error = prediction − target." };
      },
    },
    dz: elementwise("backward", ["z", "target", "dz"], (step, index) => {
      const [z, target, dz] = ["z", "target", "dz"].map((name) => plain(step, name));
      const count = z.array.data.length;
      const two = number(`2 / ${count}`, 2 / count);
      return {
        terms: [product([two, z.factor(...index)]), product([number("−1", -1), two, target.factor(...index)])],
        formula: `${dz.text(...index)} = 2 · (${z.text(...index)} − ${target.text(...index)}) / ${count}`,
        words: "The backward pass starts here: the gradient is proportional to the error.",
      };
    }),
  },
};

const unknown = { title: (step) => step.class, about: () => "The page cannot open this operation: its arrays are in the overview.", targets: {} };

export const OPERATIONS = {
  conv, dense, activation, curve, general_relu: generalRelu, max_pool: maxPool, average_pool: averagePool, batch_norm: batchNorm, dropout, flatten,
  softmax_crossentropy: softmaxCrossentropy, crossentropy, mean_squared_error: meanSquaredError, unknown,
};

/** What one element is made of: OPERATIONS' answer, with the sum of the products as result unless there is another rule. */
export function explain(step, target, index) {
  const answer = OPERATIONS[step.kind].targets[target].of(step, index);
  return { ...answer, result: answer.result ?? total(answer.terms.map(({ value }) => value)), stored: step.arrays[target].get(index) };
}

const titleOf = (step) => { const { title } = OPERATIONS[step.kind]; return typeof title === "function" ? title(step) : title; };

// --------------------------------------------------------------------------------------------------- 3 pictures

/** An HTML element: h("p", { class: "words" }, "text", child). Attributes that are functions become listeners. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** The colours of the page's style sheet, which has a light and a dark set: [red, green, blue] for each name. */
function readColours(el) {
  const style = getComputedStyle(el);
  const names = ["negative", "zero", "positive", "nan", "ink", "paper"];
  const rgb = (text) => [1, 3, 5].map((at) => parseInt(text.trim().slice(at, at + 2), 16));
  return Object.fromEntries(names.map((name) => [name, rgb(style.getPropertyValue(`--${name}`))]));
}

/** The colour of a number on the scale from −limit to limit, zero in the middle. */
function colourOf(value, limit, colours) {
  if (Number.isNaN(value)) return colours.nan;
  const share = limit ? Math.min(Math.abs(value) / limit, 1) : 0;
  const end = value < 0 ? colours.negative : colours.positive;
  return colours.zero.map((zero, channel) => zero + share * (end[channel] - zero));
}

/** Nearly the largest absolute value: a single outlier does not make everything else pale. */
function limitOf(numbers) {
  const sizes = [];
  const stride = Math.max(1, Math.floor(numbers.length / 20000));
  for (let at = 0; at < numbers.length; at += stride) if (Number.isFinite(numbers[at]) && numbers[at] !== 0) sizes.push(Math.abs(numbers[at]));
  sizes.sort((a, b) => a - b);
  return sizes.length ? sizes[Math.ceil(0.995 * (sizes.length - 1))] : 0;
}

/** The same for the elements of a picture. */
function limitOfPlane(array, plane) {
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
function samplePlane(array, index) {
  const [n, channel] = [index[0], index.at(-1)];
  const { shape, rank } = array;
  if (rank === 4) {
    return {
      rows: shape[1], columns: shape[2], square: true,
      caption: shape[3] > 1 ? `channel ${channel} of ${shape[3]}` : "",
      indexAt: (row, column) => [n, row, column, channel],
      cellOf: (at) => (at[0] === n && at[3] === channel ? [at[1], at[2]] : null),
    };
  }
  if (rank === 3) {
    return {
      rows: shape[1], columns: shape[2], square: false, caption: "steps ↓ channels →",
      indexAt: (row, column) => [n, row, column],
      cellOf: (at) => (at[0] === n ? [at[1], at[2]] : null),
    };
  }
  const size = array.data.length / shape[0];
  const plane = gridPlane(size, (at) => array.index(n * size + at), (at) => (at[0] === n ? array.offset(at) - n * size : null));
  return { ...plane, caption: plane.rows > 1 ? `${plural(size, "number")}, row by row` : "" };
}

/** The picture of a weight array that contains the element at `index`; a dense kernel's runs along axis `across`. */
function weightPlane(array, index, across = 0) {
  const { shape, rank } = array;
  if (rank === 4) {
    const [, , c, f] = index;
    return {
      rows: shape[0], columns: shape[1], square: true, caption: `input channel ${c}, kernel ${f}`,
      indexAt: (row, column) => [row, column, c, f],
      cellOf: (at) => (at[2] === c && at[3] === f ? [at[0], at[1]] : null),
    };
  }
  if (rank === 3) {
    const f = index[2];
    return {
      rows: shape[0], columns: shape[1], square: false, caption: `kernel ${f}: steps ↓ channels →`,
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
  if (rank === 0) return { ...gridPlane(1, () => [], () => 0), caption: "" };
  return { ...gridPlane(shape[0], (at) => [at], ([at]) => at), caption: "" };
}

const SAMPLED = new Set(["x", "y", "dx", "dy", "z", "p", "target", "dz", "mask", "slope"]);

/**
 * A plane as a canvas of colours; overlays are drawn by `outline`. It is at most `most` pixels wide and high, a cell at
 * most `largest`; cells have whole pixels unless the picture has to be of `exact` size.
 */
class Picture {
  constructor(explorer, { most = 224, largest = 28, exact = false, onPick = null, name, label }) {
    Object.assign(this, { explorer, most, largest, exact, onPick, name });
    this.canvas = h("canvas", { class: onPick ? "picture pick" : "picture", role: "img", "aria-label": label, ...(onPick ? { tabindex: 0 } : {}) });
    this.canvas.addEventListener("pointermove", (event) => this.hover(event));
    this.canvas.addEventListener("pointerleave", () => explorer.tooltip.hide());
    if (onPick) {
      this.canvas.addEventListener("click", (event) => { const at = this.cellAt(event); const index = at && this.plane.indexAt(...at); if (index) onPick(index); });
      this.canvas.addEventListener("keydown", (event) => this.key(event));
    }
  }

  show(array, plane, limit) {
    Object.assign(this, { array, plane, limit });
    const whole = (length) => (this.exact ? length : Math.max(1, Math.floor(length)));
    const side = (count) => whole(Math.min(this.largest, this.most / count));
    const [across, down] = [side(plane.columns), side(plane.rows)];
    this.cell = plane.square ? [Math.min(across, down), Math.min(across, down)] : [across, down];
    this.draw();
  }

  draw() {
    const { plane, array, limit } = this;
    const { colours } = this.explorer;
    const [width, height] = [plane.columns * this.cell[0], plane.rows * this.cell[1]];
    const density = window.devicePixelRatio || 1;
    Object.assign(this.canvas, { width: Math.round(width * density), height: Math.round(height * density) });
    this.canvas.style.width = `${width}px`;
    const context = this.canvas.getContext("2d");
    context.scale(density, density);
    context.imageSmoothingEnabled = false;
    context.drawImage(paint(plane.rows, plane.columns, (row, column) => { const index = plane.indexAt(row, column); return index && array.get(index); }, limit, colours), 0, 0, width, height);
  }

  /** Draw an outline round cells, two lines in ink and paper, so that it can be seen on every colour. */
  outline(cells, width = 1.5) {
    const context = this.canvas.getContext("2d");
    const [w, v] = this.cell;
    const set = new Set(cells.map(([row, column]) => row * 65536 + column));
    const path = new Path2D();
    for (const [row, column] of cells) {
      const [left, top, right, bottom] = [column * w, row * v, (column + 1) * w, (row + 1) * v];
      const edge = (neighbour, ...line) => { if (!set.has(neighbour)) { path.moveTo(line[0], line[1]); path.lineTo(line[2], line[3]); } };
      edge((row - 1) * 65536 + column, left, top, right, top);
      edge((row + 1) * 65536 + column, left, bottom, right, bottom);
      edge(row * 65536 + column - 1, left, top, left, bottom);
      edge(row * 65536 + column + 1, right, top, right, bottom);
    }
    context.lineCap = "square";
    for (const [name, extra] of [["paper", 2], ["ink", 0]]) {
      context.strokeStyle = `rgb(${this.explorer.colours[name]})`;
      context.lineWidth = width + extra;
      context.stroke(path);
    }
  }

  cellAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * this.plane.columns);
    const row = Math.floor(((event.clientY - box.top) / box.height) * this.plane.rows);
    return row >= 0 && column >= 0 && row < this.plane.rows && column < this.plane.columns ? [row, column] : null;
  }

  hover(event) {
    const at = this.cellAt(event);
    const index = at && this.plane.indexAt(...at);
    if (index) this.explorer.tooltip.show(event, `${written(this.name, index)} = ${shown(this.array.get(index))}`);
    else this.explorer.tooltip.hide();
  }

  /** The arrow keys move the chosen cell. */
  key(event) {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const now = this.chosen && this.plane.cellOf(this.chosen);
    if (!move || !now) return;
    event.preventDefault();
    event.stopPropagation();
    const index = this.plane.indexAt(Math.min(Math.max(now[0] + move[0], 0), this.plane.rows - 1), Math.min(Math.max(now[1] + move[1], 0), this.plane.columns - 1));
    if (index) this.onPick(index);
  }
}

/** A canvas with one pixel for each cell; cells without a number are transparent. */
function paint(rows, columns, valueAt, limit, colours) {
  const canvas = h("canvas", { width: columns, height: rows });
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at += 4) {
      const value = valueAt(row, column);
      if (value === null || value === undefined) continue;
      const [red, green, blue] = colourOf(value, limit, colours);
      image.data[at] = red; image.data[at + 1] = green; image.data[at + 2] = blue; image.data[at + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** The legend of a picture: the colours from −limit over 0 to limit. */
const legend = (limit) => h("div", { class: "legend", "aria-hidden": "true" }, h("span", {}, brief(-limit)), h("i", {}), h("span", {}, limit ? brief(limit) : "0"));

/** The text beside the pointer. */
class Tooltip {
  constructor(el) {
    this.element = h("div", { class: "tooltip", role: "presentation", hidden: true });
    el.append(this.element);
  }

  show(event, text) {
    this.element.textContent = text;
    this.element.hidden = false;
    const left = Math.min(event.clientX + 12, window.innerWidth - this.element.offsetWidth - 4);
    this.element.style.transform = `translate(${Math.max(left, 4)}px, ${event.clientY + 16}px)`;
  }

  hide() {
    this.element.hidden = true;
  }
}

// --------------------------------------------------------------------------------------------------- 4 overview

const MOST_TILES = 16;
const PACE = 1200; // milliseconds from one moment to the next

/** The channels of a sample with the largest absolute sums. */
function strongest(array, n) {
  const C = array.shape.at(-1);
  const size = array.data.length / array.shape[0];
  const sums = new Float64Array(C);
  for (let at = 0; at < size; at++) sums[at % C] += Math.abs(array.data[n * size + at]) || 0;
  return [...sums.keys()].sort((a, b) => sums[b] - sums[a]).slice(0, MOST_TILES).sort((a, b) => a - b);
}

/** All of a sample in one picture: the strongest channels of an image as tiles, with gaps of no number between them. */
function overviewPlane(array, n, channels) {
  if (array.rank !== 4) return samplePlane(array, [n, ...array.shape.slice(1).map(() => 0)]);
  const [, H, W] = array.shape;
  const columns = Math.ceil(Math.sqrt(channels.length));
  const gap = channels.length > 1 ? Math.max(1, Math.round(W / 12)) : 0;
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

/** "28 × 28 × 32" of an array with samples first. */
const sizeOf = (array) => times(array.shape.slice(1)) || "1";

/** The whole page. */
class Explorer {
  constructor(network, el) {
    Object.assign(this, { network, el, sample: 0, moment: null });
    el.classList.add("minicnn-explorer");
    this.colours = readColours(el);
    this.tooltip = new Tooltip(el);
    this.status = h("p", { class: "visually-hidden", role: "status" });
    this.overview = new Overview(this);
    this.opened = new Opened(this);
    this.training = network.training && new Training(this);
    el.append(...[this.header(), this.warning(), this.overview.element, this.opened.element, this.training?.element, this.status].filter(Boolean));
    this.dark = window.matchMedia("(prefers-color-scheme: dark)");
    this.recolour = () => { this.colours = readColours(el); this.overview.draw(); this.opened.draw(); this.training?.show(); };
    this.dark.addEventListener("change", this.recolour);
    this.overview.draw();
    const first = network.steps.findIndex((step) => Object.keys(OPERATIONS[step.kind].targets).length);
    if (first >= 0) this.open(first, "forward");
  }

  header() {
    const { network } = this;
    const samples = network.samples > 1 && h("label", {}, "sample ", h("select", { change: (event) => this.choose(Number(event.target.value)) },
      Array.from({ length: network.samples }, (_, n) => h("option", { value: n }, String(n)))));
    return h("header", {},
      h("h1", {}, `${network.name}: one training step, number by number`),
      h("p", {}, h("b", { class: "forward" }, "Forward → "), "The upper row: the network computes from left to right, up to the loss, which says how wrong the answer is."),
      h("p", {}, h("b", { class: "backward" }, "← Gradients "), "The lower row, from right to left: how much the loss would grow if the number above grew a little."),
      h("p", { class: "colours" }, "Colours: negative", h("i", {}), "positive; every picture has its own scale. Point at one to read its numbers. ", h("b", {}, "Press play, or choose a layer.")),
      samples || null);
  }

  /** Where a number is not finite, the page says so first. */
  warning() {
    const bad = (array) => array.data.some((value) => !Number.isFinite(value));
    const step = this.network.steps.find(({ arrays }) => Object.values(arrays).some(bad));
    if (!step) return null;
    const name = Object.keys(step.arrays).find((key) => bad(step.arrays[key]));
    return h("p", { class: "warning", role: "alert" }, `Some numbers are not finite (NaN or ∞). The first layer with one is ${step.name}, in ${step.symbols[name] ?? name}. NaN is drawn in this colour: `, h("i", { class: "nan" }));
  }

  choose(sample) {
    this.sample = sample;
    this.overview.draw();
    this.opened.forget();
  }

  open(step, direction, target = null) {
    this.opened.show(step, direction, target);
    this.overview.mark(step, direction);
  }

  say(text) {
    this.status.textContent = text;
  }

  remove() {
    this.dark.removeEventListener("change", this.recolour);
    this.overview.pause();
    this.training?.pause();
    this.el.replaceChildren();
  }
}

/** All layers side by side, forward above backward, and the player. */
class Overview {
  constructor(explorer) {
    this.explorer = explorer;
    this.steps = explorer.network.steps;
    this.count = this.steps.length;
    this.columns = this.arrays().map((entry, at) => this.column(entry, at));
    this.loss = this.lossColumn();
    this.caption = h("p", { class: "caption", "aria-live": "polite" }, "Everything is computed. Play shows the order.");
    this.strip = h("div", { class: "strip", role: "group", "aria-label": "all layers from input to loss", tabindex: 0 },
      h("div", { class: "rows", "aria-hidden": "true" }, h("b", { class: "forward" }, "forward →"), h("b", { class: "backward" }, "← gradients")),
      this.columns.map(({ element }) => element), this.loss.element);
    this.element = h("section", { class: "overview", "aria-label": "overview", keydown: (event) => this.key(event) }, this.player(), this.caption, this.strip);
  }

  /** The input, then the output of every step but the loss. */
  arrays() {
    const [first] = this.steps;
    const input = { title: "input", step: null, forward: first.arrays.x ?? first.arrays.z, backward: first.arrays.dx ?? first.arrays.dz, names: ["x", "dx"] };
    const rest = this.steps.slice(0, -1).map((step, at) => ({
      title: titleOf(step), step: at, forward: step.arrays.y, backward: step.arrays.dy, names: [step.symbols.y ?? "y", step.symbols.dy ?? "dy"],
    }));
    return [input, ...rest];
  }

  column({ title, step, forward, backward, names }, at) {
    const label = step === null ? "input" : this.steps[step].name;
    const pictures = [forward, backward].map((array, row) =>
      new Picture(this.explorer, { most: 100, largest: 40, exact: true, name: names[row], label: `${row ? "gradient of the loss with respect to" : "output of"} ${label}, ${sizeOf(array)}` }));
    const cell = (row) => h("div", { class: `cell ${row ? "backward" : "forward"}` }, pictures[row].canvas);
    const open = (number, direction) => () => { this.leave(); this.explorer.open(number, direction, direction === "forward" ? "y" : number === this.count - 1 ? "dz" : "dx"); };
    if (step !== null) pictures[0].canvas.addEventListener("click", open(step, "forward"));
    pictures[1].canvas.addEventListener("click", open(at, "backward")); // the operation after this array computed its gradient
    for (const { canvas } of step === null ? [pictures[1]] : pictures) canvas.classList.add("opens");
    const head = step === null
      ? h("div", { class: "head" }, h("b", {}, title), h("small", {}, sizeOf(forward)))
      : h("button", { class: "head", type: "button", click: open(step, "forward"), "aria-label": `open ${label}, ${title}` }, h("b", {}, title), h("small", {}, label), h("small", {}, sizeOf(forward)));
    const cells = [cell(0), cell(1)];
    return { element: h("div", { class: "column" }, head, cells), head, cells, pictures, arrays: [forward, backward], at };
  }

  lossColumn() {
    const step = this.steps.at(-1);
    const bars = [h("div", { class: "cell forward bars" }), h("div", { class: "cell backward bars" })];
    const open = (direction) => () => { this.leave(); this.explorer.open(this.count - 1, direction); };
    bars[0].addEventListener("click", open("forward"));
    bars[1].addEventListener("click", open("backward"));
    const value = step.arrays.loss.data[0];
    const head = h("button", { class: "head", type: "button", click: open("forward"), "aria-label": `open the loss, ${shown(value)}` }, h("b", {}, "loss"), h("small", {}, titleOf(step)), h("small", {}, shown(value)));
    return { element: h("div", { class: "column loss" }, head, bars), head, cells: bars };
  }

  player() {
    const button = (text, label, action) => h("button", { type: "button", "aria-label": label, title: label, click: action }, text);
    this.play = button("▶ Play", "play", () => (this.timer ? this.pause() : this.start()));
    this.slider = h("input", { type: "range", min: 0, max: 2 * this.count, value: 2 * this.count, "aria-label": "moment of the training step", input: () => this.go(Number(this.slider.value)) });
    return h("div", { class: "player", role: "toolbar", "aria-label": "player" },
      button("|◀", "to the input (Home)", () => this.go(0)),
      button("◀ Back", "one step back (left arrow)", () => this.go(this.moment - 1)),
      this.play,
      button("Step ▶", "one step (right arrow)", () => this.go(this.moment + 1)),
      button("▶|", "show everything (End)", () => this.go(2 * this.count)),
      this.slider);
  }

  get moment() {
    return Number(this.slider.value);
  }

  start() {
    if (this.moment >= 2 * this.count) this.go(0);
    this.timer = setInterval(() => (this.moment >= 2 * this.count ? this.pause() : this.go(this.moment + 1)), PACE);
    this.play.textContent = "❚❚ Pause";
    this.play.setAttribute("aria-label", "pause");
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.play.textContent = "▶ Play";
    this.play.setAttribute("aria-label", "play");
  }

  /** A layer was chosen by hand: everything is shown again. */
  leave() {
    this.pause();
    this.slider.value = 2 * this.count;
    this.reveal(2 * this.count);
    this.caption.textContent = "Everything is computed. Play shows the order.";
  }

  key(event) {
    if (event.target === this.slider || event.altKey || event.ctrlKey || event.metaKey) return;
    const onButton = event.target instanceof HTMLButtonElement;
    const action = {
      ArrowRight: () => this.go(this.moment + 1), ArrowLeft: () => this.go(this.moment - 1), Home: () => this.go(0), End: () => this.go(2 * this.count),
      ...(onButton ? {} : { " ": () => (this.timer ? this.pause() : this.start()) }),
    }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** Moment 0 is the input, moment k the forward of step k − 1, moment count + k the backward of the k-th last step. */
  go(moment) {
    moment = Math.min(Math.max(moment, 0), 2 * this.count);
    this.slider.value = moment;
    this.reveal(moment);
    if (moment === 0) {
      this.caption.textContent = "The input of the network. Step forward to see the first layer.";
      return this.mark(-1, null);
    }
    const backward = moment > this.count;
    const at = backward ? 2 * this.count - moment : moment - 1;
    this.caption.textContent = this.describe(at, backward);
    this.slider.setAttribute("aria-valuetext", this.caption.textContent);
    this.explorer.open(at, backward ? "backward" : "forward");
    this.scrollTo(backward ? at : at + 1);
    return undefined;
  }

  describe(at, backward) {
    const step = this.steps[at];
    const place = `${backward ? "Backward" : "Forward"}, ${backward ? this.count - at : at + 1} of ${this.count}: ${step.name}, ${titleOf(step)}. `;
    if (!backward) return place + OPERATIONS[step.kind].about(step);
    if (at === this.count - 1) return `${place}The loss gives the first gradient, with respect to its input.`;
    const weights = Object.keys(step.arrays).filter((name) => /^d(kernel|bias|gamma|beta)$/.test(name));
    const [dy, dx] = [step.symbols.dy ?? "dy", step.symbols.dx ?? "dx"];
    return `${place}It gets ${dy}, the gradient with respect to its output, and computes ${weights.length ? `${weights.join(", ")} for the optimiser, and ` : ""}${dx} for the layer before it.`;
  }

  /** Dim what is not computed yet at this moment. */
  reveal(moment) {
    const last = this.count - 1;
    this.columns.forEach(({ cells }, at) => {
      cells[0].classList.toggle("later", at > moment);
      cells[1].classList.toggle("later", moment < 2 * this.count - at);
    });
    this.loss.cells[0].classList.toggle("later", moment < last + 1);
    this.loss.cells[1].classList.toggle("later", moment < last + 2);
  }

  /** Mark an operation and what it computes: its output, or the gradient with respect to its input, one column before. */
  mark(step, direction) {
    [...this.columns, this.loss].forEach((column, at) => {
      const current = at === step + 1;
      column.head.classList.toggle("current", current);
      column.cells[0].classList.toggle("current", current && direction === "forward");
      column.cells[1].classList.toggle("current", direction === "backward" && (at === step || (current && column === this.loss)));
      if (column.head instanceof HTMLButtonElement) column.head.setAttribute("aria-pressed", String(current));
    });
  }

  scrollTo(column) {
    const element = [...this.columns, this.loss][column].element;
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.strip.scrollTo({ left: element.offsetLeft - this.strip.clientWidth / 2 + element.offsetWidth / 2, behavior: calm ? "auto" : "smooth" });
  }

  draw() {
    const n = this.explorer.sample;
    for (const { pictures, arrays } of this.columns) {
      const channels = arrays[0].rank === 4 ? strongest(arrays[0], n) : [];
      arrays.forEach((array, row) => {
        const size = array.data.length / array.shape[0];
        pictures[row].show(array, overviewPlane(array, n, channels), limitOf(array.data.subarray(n * size, (n + 1) * size)));
      });
    }
    this.drawBars(n);
  }

  /** The outputs by class with the targets, and below them p − y. */
  drawBars(n) {
    const { arrays, kind } = this.steps.at(-1);
    const { classes } = this.explorer.network;
    const K = classes.length;
    const outputs = kind === "softmax_crossentropy" ? arrays.p : arrays.z;
    const size = arrays.z.data.length / arrays.z.shape[0];
    if (size !== K || K > 32) return;
    const row = (array) => Array.from(array.data.subarray(n * K, (n + 1) * K));
    const [p, y, d] = [row(outputs), row(arrays.target), row(arrays.dz)];
    const bar = (value, most) => h("i", { class: value < 0 ? "bar negative" : "bar", style: `width: ${most ? (50 * Math.min(Math.abs(value) / most, 1)).toFixed(1) : 0}%` });
    const table = (values, heading, most, mark) => h("table", {}, h("caption", {}, heading),
      values.map((value, k) => h("tr", { class: mark(k) ? "right" : "" }, h("th", { scope: "row" }, classes[k]), h("td", { class: "track" }, bar(value, most)), h("td", {}, brief(value)))));
    const most = (values) => Math.max(...values.map((value) => Math.abs(value) || 0));
    const isRight = (k) => kind !== "mean_squared_error" && y[k] === Math.max(...y);
    const symbol = kind === "softmax_crossentropy" ? ["p, the probabilities", `p − y${this.explorer.network.samples > 1 ? ` over ${this.explorer.network.samples} samples` : ""}`] : ["output", "gradient"];
    this.loss.cells[0].replaceChildren(table(p, symbol[0], most(p), isRight));
    this.loss.cells[1].replaceChildren(table(d, symbol[1], most(d), isRight));
  }
}

// ----------------------------------------------------------------------------------------------------- 5 opened

const LISTED = 12;

/** One element of one layer: where it comes from. */
class Opened {
  constructor(explorer) {
    this.explorer = explorer;
    this.element = h("section", { class: "opened", "aria-label": "a layer, opened" });
    this.remembered = new Map();
  }

  /** Show a step of the network in one direction, at the target and the element that were chosen last. */
  show(at, direction, target = null) {
    this.at = at;
    this.target = target ?? this.target;
    this.step = this.explorer.network.steps[at];
    this.direction = direction;
    const targets = this.targets();
    if (!targets.includes(this.target)) [this.target] = targets;
    this.build();
  }

  /** What uses this operation's result. */
  following() {
    const next = this.explorer.network.steps[this.at + 1];
    return next.name === "loss" ? "the loss uses it" : `${titleOf(next)} makes y of it`;
  }

  forget() {
    this.remembered.clear();
    if (this.step) this.show(this.at, this.direction);
  }

  /** The arrays that this direction computes. */
  targets() {
    const { targets } = OPERATIONS[this.step.kind];
    return Object.keys(targets).filter((name) => targets[name].direction === this.direction && this.step.arrays[name]);
  }

  symbol(name) {
    return this.step.symbols[name] ?? name;
  }

  build() {
    const { step, explorer } = this;
    const operation = OPERATIONS[step.kind];
    const choice = (value, text, pressed, action) => h("button", { type: "button", value, "aria-pressed": String(pressed), click: action }, text);
    const directions = ["forward", "backward"].map((direction) =>
      choice(direction, direction === "forward" ? "Forward →" : "← Backward", direction === this.direction, () => explorer.open(this.at, direction)));
    const targets = this.targets();
    const choices = targets.map((name) => {
      const text = name === "dx" ? `input: ${this.symbol(name)}` : /^d(kernel|bias|gamma|beta)$/.test(name) ? `${name.slice(1)}: ${name}` : this.symbol(name);
      return choice(name, text, name === this.target, () => { this.target = name; this.build(); });
    });
    const { docs } = explorer.network;
    const link = step.page && (docs === null
      ? h("small", {}, `documentation: ${step.page}`)
      : h("a", { href: `${docs}/${step.page}` }, "how this works, in the documentation"));
    this.element.replaceChildren(
      h("h2", {}, `${step.name}: ${titleOf(step)}`),
      h("p", {}, operation.about(step), step.symbols.y === "z" ? ` Its result is called z; ${this.following()}.` : "", " ", h("code", {}, step.code), " ", link || null),
      h("div", { class: "choices" }, h("div", { role: "group", "aria-label": "direction", class: "directions" }, directions),
        choices.length > 1 ? h("div", { role: "group", "aria-label": "which array" }, this.direction === "forward" ? "compute " : "gradient of the loss with respect to the ", choices) : null),
    );
    if (!targets.length) {
      this.index = null;
      this.element.append(h("p", {}, Object.keys(operation.targets).length ? "Nothing is computed in this direction." : ""));
      return;
    }
    this.parts = { pictures: h("div", { class: "pictures" }), index: h("div", { class: "index" }), formula: h("code", { class: "formula" }), words: h("p", { class: "words" }), closeup: h("div", { class: "closeup" }), sum: h("p", { class: "sum", role: "status" }), terms: h("div", { class: "terms" }), follow: h("p", { class: "follow" }) };
    this.element.append(this.parts.index, this.parts.words, this.parts.formula, this.parts.pictures, this.parts.closeup, this.parts.sum, this.parts.terms, this.parts.follow);
    this.buildPictures();
    this.buildIndex();
    this.choose(this.remembered.get(this.key()) ?? this.interesting());
  }

  key() {
    return `${this.at} ${this.target}`;
  }

  /** The element with the largest absolute value, of the present sample. */
  interesting() {
    const array = this.step.arrays[this.target];
    const size = SAMPLED.has(this.target) && array.rank ? array.data.length / array.shape[0] : array.data.length;
    const start = size < array.data.length ? this.explorer.sample * size : 0;
    let best = start;
    for (let at = start; at < start + size; at++) if (Math.abs(array.data[at]) > Math.abs(array.data[best])) best = at;
    return array.index(best);
  }

  buildPictures() {
    const operation = OPERATIONS[this.step.kind];
    const { views, sign = operation.sign ?? "" } = operation.targets[this.target];
    this.views = views.filter((name) => this.step.arrays[name]).map((name) => {
      const isTarget = name === this.target;
      const picture = new Picture(this.explorer, {
        name: this.symbol(name), label: `${this.symbol(name)}${isTarget ? ": choose an element with the arrow keys" : ""}`,
        onPick: isTarget ? (index) => this.choose(index, true) : null,
      });
      const caption = h("small", {});
      const scale = h("div", {});
      const element = h("figure", { class: isTarget ? "target" : "" }, h("figcaption", {}, h("b", {}, this.symbol(name)), " ", caption), picture.canvas, scale);
      return { name, picture, caption, scale, element };
    });
    const signs = this.views.flatMap(({ element }, at) => (at ? [h("span", { class: "sign", "aria-hidden": "true" }, at === this.views.length - 1 ? "→" : sign), element] : [element]));
    this.parts.pictures.replaceChildren(...signs);
  }

  buildIndex() {
    const array = this.step.arrays[this.target];
    const names = axisNames(this.step, this.target, array.rank);
    this.inputs = array.shape.map((length, axis) => h("input", {
      type: "number", min: 0, max: length - 1, value: 0, "aria-label": `${names[axis]}, 0 to ${length - 1}`,
      change: () => this.choose(this.inputs.map((input, at) => Math.min(Math.max(Math.round(Number(input.value)) || 0, 0), array.shape[at] - 1)), true),
    }));
    const fields = this.inputs.map((input, axis) => h("label", {}, names[axis], input));
    this.className = h("b", {});
    this.parts.index.replaceChildren(...[h("span", {}, array.rank ? "Element of " : "", h("b", {}, this.symbol(this.target)), array.rank ? ": click in its picture, or " : ""), ...fields, this.className]);
  }

  /** Choose an element: compute its products and show everything about it. */
  choose(index, byHand = false) {
    this.index = index;
    this.remembered.set(this.key(), index);
    this.inputs.forEach((input, axis) => (input.value = index[axis]));
    this.answer = explain(this.step, this.target, index);
    this.className.textContent = this.step.name === "loss" && index.length ? this.explorer.network.classes[index.at(-1)] : "";
    const { terms } = this.answer;
    this.order = terms.map((_, at) => at).sort((a, b) => size(terms[b].value) - size(terms[a].value));
    this.focus = this.answer.chosen ?? this.order.find((at) => terms[at].part !== "bias" && terms[at].part !== "penalty") ?? this.order[0];
    this.limit = LISTED;
    this.parts.formula.textContent = this.answer.formula;
    this.parts.words.textContent = this.answer.words;
    this.buildSum();
    this.buildTerms();
    this.draw();
    if (byHand) this.explorer.say(`${written(this.symbol(this.target), index)} = ${shown(this.answer.stored)}`);
  }

  /** The stored number beside the sum of the products. */
  buildSum() {
    const { terms, result, stored, rule } = this.answer;
    const [ours, theirs] = [shown(result), shown(stored)];
    const change = stored === 0 ? "stay as it is" : `${stored < 0 ? "fall" : "grow"} by about ${brief(Math.abs(stored) / 100)}`;
    const count = terms.length === 1 ? "the only product" : rule ? `${rule}, of ${plural(terms.length, "number")}` : `the sum of ${plural(terms.length, "product")}`;
    const zeros = terms.filter(({ value }) => value === 0).length;
    this.parts.sum.replaceChildren(...[
      h("span", {}, h("output", { class: "added" }, ours), ` ${terms.length ? count : "no product: 0"}${zeros && terms.length > 1 ? `, ${zeros.toLocaleString("en")} of them 0` : ""}`),
      h("span", {}, h("output", { class: "stored" }, theirs), " stored by minicnn"),
      h("span", { class: ours === theirs ? "agree" : "differ" }, ours === theirs ? "✓ equal" : "✗ different"),
      this.direction === "backward" && Number.isFinite(stored) && h("span", { class: "meaning" }, `If ${written(this.symbol(this.target).replace(/^d/, ""), this.index)} grew by 0.01, the loss would ${change}.`)].filter(Boolean));
  }

  /** The products, largest first; choosing one shows where its factors are. */
  buildTerms() {
    const { terms, listed } = this.answer;
    const most = Math.max(...terms.map(({ value }) => Math.abs(value) || 0));
    const rows = this.order.slice(0, this.limit).map((at) => {
      const term = terms[at];
      const factors = term.factors.map(({ name, index, value }) => (index === null ? (/^[−\d]/.test(name) ? name : `${name} (${brief(value)})`) : `${written(name, index)} (${brief(value)})`)).join(" · ");
      const width = most ? (50 * Math.min(Math.abs(term.value) / most, 1)).toFixed(1) : 0;
      return h("tr", { tabindex: 0, "data-at": at, "aria-current": String(at === this.focus), click: () => this.look(at), keydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.look(at); } } },
        h("td", { class: "number" }, shown(term.value)), h("td", { class: "track" }, h("i", { class: term.value < 0 ? "bar negative" : "bar", style: `width: ${width}%` })), h("td", {}, term.part ? h("em", {}, `${term.part}: `) : null, factors));
    });
    const rest = this.order.slice(this.limit);
    if (rest.length) rows.push(h("tr", { class: "rest" }, h("td", { class: "number" }, listed ? "" : shown(total(rest.map((at) => terms[at].value)))), h("td", {}), h("td", {}, `${listed ? "" : "the sum of "}the other ${rest.length.toLocaleString("en")} `, h("button", { type: "button", click: () => { this.limit += 100; this.buildTerms(); } }, "show more"))));
    this.parts.terms.replaceChildren(terms.length ? h("table", {}, h("caption", {}, listed ?? "the products, largest first"), h("tbody", {}, rows)) : "");
  }

  /** Focus on one product. */
  look(at) {
    this.focus = at;
    for (const row of this.parts.terms.querySelectorAll("tr[data-at]")) row.setAttribute("aria-current", String(Number(row.dataset.at) === at));
    this.draw();
  }

  /** Draw the pictures that contain the focused product's factors, and mark all factors in them. */
  draw() {
    if (!this.index || !this.answer) return;
    const { terms, also = [], marked = {} } = this.answer;
    const focus = terms[this.focus];
    const { across } = OPERATIONS[this.step.kind].targets[this.target];
    for (const { name, picture, caption, scale } of this.views) {
      const array = this.step.arrays[name];
      const isTarget = name === this.target;
      const own = focus && [...focus.factors, ...(focus.also ?? []), ...also].find((factor) => factor.key === name);
      const index = isTarget ? this.index : own ? own.index : this.fallback(array, name);
      const plane = SAMPLED.has(name) && array.rank ? samplePlane(array, index) : weightPlane(array, index, across);
      const limit = limitOfPlane(array, plane);
      picture.chosen = isTarget ? index : null;
      picture.show(array, plane, limit);
      caption.textContent = plane.caption;
      scale.replaceChildren(legend(limit));
      if (isTarget) {
        picture.outline([plane.cellOf(index)].filter(Boolean), 2.5);
        continue;
      }
      const factors = terms.flatMap((term) => [...term.factors, ...(term.also ?? [])]).filter((factor) => factor.key === name);
      const cells = [...factors, ...also.filter((factor) => factor.key === name)].map((factor) => plane.cellOf(factor.index));
      if (marked[name]) for (const offset of marked[name]()) cells.push(plane.cellOf(array.index(offset)));
      picture.outline(cells.filter(Boolean), 1.2);
      if (own) picture.outline([plane.cellOf(own.index)].filter(Boolean), 2.5);
    }
    this.drawCloseup();
    this.drawFollow(focus);
  }

  /** Buttons that open the operation where a factor of the focused product was computed. */
  drawFollow(focus) {
    const { steps } = this.explorer.network;
    const origins = { x: [this.at - 1, "y"], z: [this.at - 1, "y"], dy: [this.at + 1, steps[this.at + 1]?.name === "loss" ? "dz" : "dx"] };
    const buttons = [...(focus?.factors ?? []), ...(this.answer.also ?? [])].filter((factor) => factor.key in origins).map((factor) => {
      const [at, target] = origins[factor.key];
      const step = steps[at];
      if (!step || !OPERATIONS[step.kind].targets[target]) return null;
      return h("button", { type: "button", click: () => this.follow(at, target, factor.index) }, `${written(factor.name, factor.index)}, by ${titleOf(step)}`);
    }).filter(Boolean);
    this.parts.follow.replaceChildren(...(buttons.length ? ["Follow a factor to where it is computed: ", ...buttons] : []));
  }

  follow(at, target, index) {
    this.target = target;
    this.remembered.set(`${at} ${target}`, index);
    this.explorer.open(at, OPERATIONS[this.explorer.network.steps[at].kind].targets[target].direction);
    this.explorer.overview.scrollTo(at + 1);
    this.explorer.say(`${written(this.symbol(target), index)} of ${this.step.name}`);
  }

  fallback(array, name) {
    return array.shape.map((_, axis) => (SAMPLED.has(name) && axis === 0 ? this.index[0] : axis < this.index.length && this.index[axis] < array.shape[axis] ? this.index[axis] : 0));
  }

  /** The products of one channel in their places, factor by factor, and how much each channel contributes. */
  drawCloseup() {
    const { terms, grid, grouped } = this.answer;
    const placed = terms.filter((term) => term.cell);
    if (!grid || !placed.length) return this.parts.closeup.replaceChildren();
    const group = terms[this.focus]?.group ?? placed[0].group;
    const inGroup = placed.filter((term) => term.group === group);
    const parts = [];
    if (grouped && new Set(placed.map((term) => term.group)).size > 1) parts.push(this.groups(placed, group, grouped));
    const [rows, columns] = grid;
    if (rows * columns <= 49) parts.push(this.grids(inGroup, rows, columns));
    else parts.push(this.productMap(inGroup, rows, columns));
    this.parts.closeup.replaceChildren(...parts);
    return undefined;
  }

  /** One bar for each channel's share of the sum. */
  groups(placed, group, [letter, word]) {
    const sums = new Map();
    for (const term of placed) sums.set(term.group, (sums.get(term.group) ?? 0) + term.value);
    const values = [...sums.values()];
    const most = Math.max(...values.map((value) => Math.abs(value) || 0)) || 1;
    const [width, half] = [Math.max(3, Math.min(14, Math.floor(560 / values.length))), 32];
    const chart = svg("svg", { viewBox: `0 0 ${values.length * width} ${2 * half}`, width: values.length * width, height: 2 * half, role: "img", "aria-label": `the share of every ${word}` });
    const pick = (wanted) => {
      const best = this.order.find((at) => this.answer.terms[at].group === wanted);
      if (best !== undefined) this.look(best);
    };
    [...sums].forEach(([at, value], column) => {
      const length = Math.max((half * Math.abs(value)) / most || 0, 0.75);
      chart.append(svg("rect", { x: column * width + 0.5, width: width - 1, y: value < 0 ? half : half - length, height: length, class: value < 0 ? "negative" : "positive" }));
      if (at === group) chart.append(svg("rect", { x: column * width, width, y: 0, height: 2 * half, class: "chosen" }));
      const area = svg("rect", { x: column * width, width, y: 0, height: 2 * half, class: "area" });
      area.addEventListener("click", () => pick(at));
      area.addEventListener("pointermove", (event) => this.explorer.tooltip.show(event, `${word} ${at}: ${shown(value)}`));
      area.addEventListener("pointerleave", () => this.explorer.tooltip.hide());
      chart.append(area);
    });
    const input = h("input", { type: "number", min: 0, max: Math.max(...sums.keys()), value: group, "aria-label": word, change: (event) => pick(Number(event.target.value)) });
    return h("div", { class: "groups" }, h("p", {}, `Share of every ${word} ${letter} in the sum; shown is `, h("label", {}, letter, input), ` with ${shown(sums.get(group))}`), h("div", { class: "scroll" }, chart));
  }

  /** Small windows: factors and products as numbers, at their places in the window. */
  grids(terms, rows, columns) {
    const at = (row, column) => terms.find((term) => term.cell[0] === row && term.cell[1] === column);
    const table = (title, text, tint) => h("table", { class: "grid" }, h("caption", {}, title), Array.from({ length: rows }, (_, row) => h("tr", {}, Array.from({ length: columns }, (_, column) => {
      const term = at(row, column);
      return h("td", { class: term && terms.length > 1 && term === this.answer.terms[this.focus] ? "focused" : "", style: term ? tint(term) : "" }, term ? text(term) : "·");
    }))));
    const factors = terms[0].factors.map((factor, number) => {
      const values = terms.map((term) => term.factors[number].value);
      const most = Math.max(...values.map((value) => Math.abs(value) || 0));
      const title = factor.key === "dy" && this.answer.turned ? this.answer.turned : factor.key ? factor.name : "factor";
      return table(title, (term) => brief(term.factors[number].value), (term) => this.tint(term.factors[number].value, most));
    });
    const most = Math.max(...terms.map(({ value }) => Math.abs(value) || 0));
    const products = table("product", (term) => brief(term.value), (term) => this.tint(term.value, most));
    if (factors.length === 1) return h("div", { class: "grids" }, factors);
    return h("div", { class: "grids" }, factors.flatMap((factor, number) => (number ? [h("span", { class: "sign" }, "·"), factor] : [factor])), h("span", { class: "sign" }, "="), products);
  }

  tint(value, most) {
    const colour = colourOf(value, most * 2, this.explorer.colours).map(Math.round);
    return `background: rgb(${colour})`;
  }

  /** Larger windows: a picture of the products. */
  productMap(terms, rows, columns) {
    const values = new Float64Array(rows * columns);
    for (const term of terms) values[term.cell[0] * columns + term.cell[1]] = term.value;
    const array = new NDArray(values, [rows, columns]);
    const picture = new Picture(this.explorer, { name: "product at", label: "the products at their positions" });
    picture.show(array, { rows, columns, square: rows > 1, indexAt: (row, column) => [row, column], cellOf: (index) => index }, limitOf(values));
    const focus = this.answer.terms[this.focus];
    if (focus.cell && terms.includes(focus)) picture.outline([focus.cell], 2.5);
    return h("figure", {}, h("figcaption", {}, h("b", {}, "products"), h("small", {}, " at their positions")), picture.canvas, legend(limitOf(values)));
  }
}

const size = (value) => (Number.isNaN(value) ? Infinity : Math.abs(value));

/** Names of an array's axes for people. */
function axisNames(step, name, rank) {
  if (!rank) return [];
  if (SAMPLED.has(name)) return { 4: ["sample", "row", "column", "channel"], 3: ["sample", "step", "channel"], 2: ["sample", "unit"] }[rank] ?? ["sample", ...Array.from({ length: rank - 1 }, (_, axis) => `axis ${axis + 1}`)];
  return { 4: ["row", "column", "input channel", "kernel"], 3: ["step", "input channel", "kernel"], 2: ["input", "unit"], 1: ["channel"] }[rank];
}

// --------------------------------------------------------------------------------------------------- 6 training

const CURVES = ["a", "b", "c", "d", "e", "f"];

/** A recorded training with a slider. */
class Training {
  constructor(explorer) {
    this.explorer = explorer;
    this.data = explorer.network.training;
    this.moments = this.data.steps.length;
    this.parameter = this.data.parameters[0];
    this.slider = h("input", { type: "range", min: 0, max: this.moments - 1, value: 0, "aria-label": "recorded step", input: () => this.show() });
    this.play = h("button", { type: "button", click: () => (this.timer ? this.pause() : this.start()) }, "▶ Play the training");
    this.caption = h("p", { class: "caption", role: "status" });
    this.charts = h("div", { class: "charts" });
    this.kernels = h("div", { class: "pictures" });
    this.units = h("div", { class: "units" });
    const choose = h("select", { "aria-label": "kernel", change: (event) => { this.parameter = this.data.parameters[event.target.selectedIndex]; this.show(); } }, this.data.parameters.map(({ name }) => h("option", {}, name)));
    this.element = h("section", { class: "training", "aria-label": "training, step by step" },
      h("h2", {}, "Training, step by step"),
      h("p", {}, `The network at ${plural(this.moments, "moment")} of its training, seen with ${plural(this.data.probes, "probe sample")}.`),
      h("div", { class: "player" }, this.play, this.slider), this.caption, this.charts,
      h("p", {}, h("label", {}, "kernel ", choose)), this.kernels, this.units);
    this.show();
  }

  start() {
    if (Number(this.slider.value) === this.moments - 1) this.slider.value = 0;
    this.timer = setInterval(() => {
      this.slider.value = Number(this.slider.value) + 1;
      this.show();
      if (Number(this.slider.value) === this.moments - 1) this.pause();
    }, 300);
    this.play.textContent = "❚❚ Pause";
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.play.textContent = "▶ Play the training";
  }

  show() {
    const at = Number(this.slider.value);
    const { data } = this;
    this.caption.textContent = `Before step ${data.steps[at].toLocaleString("en")}: loss ${shown(data.loss.data[at])}`;
    this.slider.setAttribute("aria-valuetext", this.caption.textContent);
    this.charts.replaceChildren(
      this.chart("loss of the probe samples", [{ name: "loss", values: data.loss.data }], at, false),
      this.chart("update-to-weight ratio, ‖update‖ / ‖weights‖", data.parameters.map(({ name, ratios }) => ({ name, values: ratios.data })), at, true));
    this.drawKernels(at);
    this.drawUnits(at);
  }

  /** Curves over the steps, with a line at the present moment. */
  chart(title, curves, at, logarithmic) {
    const [width, height, margin] = [360, 150, 8];
    const scale = (value) => (logarithmic ? Math.log10(value) : value);
    const finite = curves.flatMap(({ values }) => Array.from(values, scale)).filter(Number.isFinite);
    const [low, high] = [Math.min(...finite, logarithmic ? -4 : 0), Math.max(...finite, logarithmic ? -2 : 0)];
    const x = (moment) => margin + ((width - 2 * margin) * moment) / Math.max(this.moments - 1, 1);
    const y = (value) => height - margin - ((height - 2 * margin) * (scale(value) - low)) / (high - low || 1);
    const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}: ${curves.map(({ name, values }) => `${name} ${brief(values[at])}`).join(", ")}` });
    chart.append(svg("line", { x1: x(at), x2: x(at), y1: 0, y2: height, class: "now" }));
    if (logarithmic) chart.append(svg("line", { x1: 0, x2: width, y1: y(1e-3), y2: y(1e-3), class: "guide" }));
    curves.forEach(({ values }, number) => {
      const points = Array.from(values, (value, moment) => (Number.isFinite(scale(value)) ? `${x(moment)},${y(value)}` : null)).filter(Boolean);
      chart.append(svg("polyline", { points: points.join(" "), class: `curve ${CURVES[number % CURVES.length]}` }));
    });
    const names = curves.map(({ name, values }, number) => h("li", {}, h("i", { class: `key ${CURVES[number % CURVES.length]}` }), `${name}: ${brief(values[at])}`));
    return h("figure", {}, h("figcaption", {}, h("b", {}, title), logarithmic ? h("small", {}, " logarithmic; the dashed line is 0.001, a usual value") : null), chart, h("ul", { class: "names" }, names));
  }

  drawKernels(at) {
    const { name, shape, values, gradients } = this.parameter;
    const pictures = [["weights", values], ["gradients", gradients]].map(([title, array]) => {
      const one = array.data.length / this.moments;
      const now = new NDArray(array.data.subarray(at * one, (at + 1) * one), array.shape.slice(1));
      const limit = limitOf(title === "weights" ? array.data : now.data);
      const picture = new Picture(this.explorer, { name, most: 280, label: `${title} of ${name}` });
      picture.show(now, tilesOf(now), limit);
      return h("figure", {}, h("figcaption", {}, h("b", {}, title), h("small", {}, ` ${times(now.shape)}${times(now.shape) === times(shape) ? "" : `, the first of ${times(shape)}`}`)), picture.canvas, legend(limit));
    });
    this.kernels.replaceChildren(...pictures);
  }

  drawUnits(at) {
    const rows = this.data.units.map(({ name, silent }) => {
      const count = silent.shape[1];
      const now = silent.data.subarray(at * count, (at + 1) * count);
      const dots = h("div", { class: "dots", role: "img", "aria-label": `${total(Array.from(now))} of ${count} silent` }, Array.from(now, (value) => h("i", { class: value ? "silent" : "alive" })));
      return h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, `${total(Array.from(now))} of ${count}`), h("td", {}, dots));
    });
    this.units.replaceChildren(rows.length ? h("table", {}, h("caption", {}, `Silent units: ReLUs that give 0 for ${this.data.probes === 1 ? "the probe sample" : "all probe samples"}, at every position. A unit that stays silent for all data is dead: no gradient reaches it any more.`), rows) : "");
  }
}

/** A kernel as one picture: tiles of its windows, input channels downwards and filters across. */
function tilesOf(array) {
  const { shape, rank } = array;
  if (rank === 2) return { rows: shape[0], columns: shape[1], square: false, indexAt: (row, column) => [row, column], cellOf: () => null };
  const [KH, KW, C, F] = rank === 3 ? [1, ...shape] : shape;
  const [across, down] = C === 1 ? [Math.ceil(Math.sqrt(F)), Math.ceil(F / Math.ceil(Math.sqrt(F)))] : [F, C];
  return {
    rows: down * (KH + 1) - 1, columns: across * (KW + 1) - 1, square: true, cellOf: () => null,
    indexAt(row, column) {
      const [i, j] = [row % (KH + 1), column % (KW + 1)];
      const [r, k] = [Math.floor(row / (KH + 1)), Math.floor(column / (KW + 1))];
      const [c, f] = C === 1 ? [0, r * across + k] : [r, k];
      if (i === KH || j === KW || f >= F) return null;
      return rank === 3 ? [j, c, f] : [i, j, c, f];
    },
  };
}
