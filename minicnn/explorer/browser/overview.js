import { limitOf } from "./colours.js";
import { h } from "./elements.js";
import { brief, shown, times } from "./numbers.js";
import { OPERATIONS, titleOf } from "./operations.js";
import { Picture } from "./picture.js";
import { overviewPlane, strongest } from "./planes.js";

const PACE = 1200; // milliseconds from one moment to the next

/** "28 × 28 × 32" of an array with samples first. */
const sizeOf = (array) => times(array.shape.slice(1)) || "1";

/** All layers side by side, forward above backward, and the player. */
export class Overview {
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
