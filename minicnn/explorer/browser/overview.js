// The overview: all operations from the input to the loss, and the player.

import { arcsOf, columnsBefore, gapsOf } from "./branches.js";
import { limitOf } from "./colours.js";
import { bar, h } from "./elements.js";
import { brief, largestSize, shown, times } from "./numbers.js";
import { aboutOf, titleOf } from "./operations.js";
import { Picture } from "./picture.js";
import { overviewPlane, strongest } from "./planes.js";

const PACE = 1200; // milliseconds from one moment to the next

/** "28 × 28 × 32" of an array with samples first. */
const sizeOf = (array) => times(array.shape.slice(1)) || "1";

/** All operations side by side, forward above backward, branches as arcs above them, and the player. */
export class Overview {
  constructor(explorer) {
    this.explorer = explorer;
    this.steps = explorer.network.steps;
    this.count = this.steps.length;
    this.columns = [this.inputColumn(), ...this.steps.slice(0, -1).map((step, at) => this.column(step, at))];
    this.loss = this.lossColumn();
    this.arcs = arcsOf(this.steps);
    this.caption = h("p", { class: "caption", "aria-live": "polite" }, "Everything is computed. Play shows the order.");
    this.strip = this.buildStrip();
    this.element = h(
      "section",
      { class: "overview", "aria-label": "overview", keydown: (event) => this.key(event) },
      this.player(),
      this.caption,
      this.strip,
    );
  }

  /** A grid: the arcs' lanes, then the heads, the outputs and the gradients. */
  buildStrip() {
    const lanes = Math.max(0, ...this.arcs.map(({ lane }) => lane + 1));
    const columns = [...this.columns, this.loss].map(({ element }) => element);
    for (const at of gapsOf(this.steps)) columns[at].classList.add("apart");
    for (const arc of this.arcs) {
      arc.element = h("i", {
        class: "arc",
        "aria-hidden": "true",
        style: `grid-column: ${arc.from + 2} / ${arc.to + 3}; grid-row: ${lanes - arc.lane} / ${lanes + 1}; --lane: ${arc.lane}`,
      });
    }
    return h(
      "div",
      {
        class: "strip",
        role: "group",
        "aria-label": "all operations from input to loss",
        tabindex: 0,
        style: `--lanes: ${lanes}; grid-template-rows: ${lanes ? `repeat(${lanes}, 13px)` : ""} 72px minmax(112px, auto) minmax(112px, auto)`,
      },
      h(
        "div",
        { class: "rows", "aria-hidden": "true" },
        h("b", { class: "forward" }, "forward →"),
        h("b", { class: "backward" }, "← gradients"),
      ),
      columns,
      this.arcs.map(({ element }) => element),
    );
  }

  inputColumn() {
    const user = this.steps.findIndex(({ inputs }) => Object.values(inputs).includes(null));
    const name = Object.keys(this.steps[user].inputs).find((key) => this.steps[user].inputs[key] === null);
    const value = this.steps[user].arrays[name];
    const head = h("div", { class: "head" }, h("b", {}, "input"), h("small", {}, sizeOf(value)));
    return this.buildColumn(head, {
      label: "input",
      value,
      symbols: [name, `d${name}`],
      uses: [[user, `d${name}`]],
      open: null,
    });
  }

  column(step, at) {
    const value = step.arrays.y;
    const open = () => {
      this.leave();
      this.explorer.open(at, "forward", "y");
    };
    const from =
      Object.values(step.inputs).length > 1
        ? `, gets ${Object.values(step.inputs)
            .map((input) => (input === null ? "input" : this.steps[input].name))
            .join(" and ")}`
        : "";
    const head = h(
      "button",
      { class: "head", type: "button", click: open, "aria-label": `open ${step.name}, ${titleOf(step)}${from}` },
      h("b", {}, titleOf(step)),
      h("small", {}, step.name),
      h("small", {}, sizeOf(value)),
    );
    return this.buildColumn(head, {
      label: `${step.name}, ${titleOf(step)}`,
      value,
      symbols: [step.symbols.y ?? "y", step.symbols.dy ?? "dy"],
      uses: step.uses,
      open,
    });
  }

  /** A value above the gradient with respect to it, or above the gradients that come back from the branches of a fork. */
  buildColumn(head, { label, value, symbols, uses, open }) {
    const several = uses.length > 1;
    const output = new Picture(this.explorer, {
      most: 100,
      largest: 40,
      exact: true,
      name: symbols[0],
      label: `output of ${label}, ${sizeOf(value)}`,
    });
    if (open) {
      output.canvas.addEventListener("click", open);
      output.canvas.classList.add("opens");
    }
    const parts = uses.map(([user, target], k) => {
      const name = several ? `${symbols[1]}${k + 1}` : symbols[1];
      const back = several ? ` by ${this.steps[user].name}` : "";
      const picture = new Picture(this.explorer, {
        most: several ? 76 : 100,
        largest: 40,
        exact: true,
        name,
        label: `gradient of the loss with respect to the output of ${label}${back}, ${sizeOf(value)}`,
      });
      picture.canvas.classList.add("opens");
      picture.canvas.addEventListener("click", () => {
        this.leave();
        this.explorer.open(user, "backward", target);
      }); // which computed it
      const element = h(
        "figure",
        { class: "part" },
        several ? h("figcaption", {}, h("small", {}, `${name}${back}`)) : null,
        picture.canvas,
      );
      return { picture, array: this.steps[user].arrays[target], user, element };
    });
    const above = h("div", { class: "cell forward" }, output.canvas);
    const below = h(
      "div",
      { class: "cell backward" },
      parts.flatMap(({ element }, k) =>
        k ? [h("span", { class: "sign", "aria-hidden": "true" }, "+"), element] : [element],
      ),
    );
    return {
      element: h("div", { class: several ? "column several" : "column" }, head, above, below),
      head,
      above,
      value,
      output,
      parts,
    };
  }

  lossColumn() {
    const step = this.steps.at(-1);
    const [above, below] = [h("div", { class: "cell forward bars" }), h("div", { class: "cell backward bars" })];
    const open = (direction) => () => {
      this.leave();
      this.explorer.open(this.count - 1, direction);
    };
    above.addEventListener("click", open("forward"));
    below.addEventListener("click", open("backward"));
    const value = step.arrays.loss.data[0];
    const head = h(
      "button",
      { class: "head", type: "button", click: open("forward"), "aria-label": `open the loss, ${shown(value)}` },
      h("b", {}, "loss"),
      h("small", {}, titleOf(step)),
      h("small", {}, shown(value)),
    );
    return { element: h("div", { class: "column loss" }, head, above, below), head, above, below, parts: [] };
  }

  player() {
    const button = (text, label, action) =>
      h("button", { type: "button", "aria-label": label, title: label, click: action }, text);
    this.play = button("▶ Play", "play", () => (this.timer ? this.pause() : this.start()));
    this.slider = h("input", {
      type: "range",
      min: 0,
      max: 2 * this.count,
      value: 2 * this.count,
      "aria-label": "moment of the training step",
      input: () => this.go(Number(this.slider.value)),
    });
    return h(
      "div",
      { class: "player", role: "toolbar", "aria-label": "player" },
      button("|◀", "to the input (Home)", () => this.go(0)),
      button("◀ Back", "one step back (left arrow)", () => this.go(this.moment - 1)),
      this.play,
      button("Step ▶", "one step (right arrow)", () => this.go(this.moment + 1)),
      button("▶|", "show everything (End)", () => this.go(2 * this.count)),
      this.slider,
    );
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
      ArrowRight: () => this.go(this.moment + 1),
      ArrowLeft: () => this.go(this.moment - 1),
      Home: () => this.go(0),
      End: () => this.go(2 * this.count),
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
    this.scrollTo(backward ? columnsBefore(this.steps[at])[0] : at + 1);
    return undefined;
  }

  describe(at, backward) {
    const step = this.steps[at];
    const place = `${backward ? "Backward" : "Forward"}, ${backward ? this.count - at : at + 1} of ${this.count}: ${step.name}, ${titleOf(step)}. `;
    if (!backward) return place + aboutOf(step);
    if (at === this.count - 1) return `${place}The loss gives the first gradient, with respect to its input.`;
    if (step.kind === "fork")
      return `${place}It gets a gradient from each of its ${step.uses.length} branches, and gives their sum to the layer before it.`;
    const weights = Object.keys(step.arrays)
      .filter((name) => /^d(kernel|bias|gamma|beta)$/.test(name))
      .map((name) => step.symbols[name] ?? name);
    const gradients = Object.keys(step.inputs).map((name) => step.symbols[`d${name}`] ?? `d${name}`);
    const to = gradients.length > 1 ? "its inputs" : "the layer before it";
    return `${place}It gets ${step.symbols.dy ?? "dy"}, the gradient with respect to its output, and computes ${weights.length ? `${weights.join(", ")} for the optimiser, and ` : ""}${gradients.join(", ")} for ${to}.`;
  }

  /** Dim what is not computed yet at this moment. */
  reveal(moment) {
    const isBackward = (step) => moment >= 2 * this.count - step;
    this.columns.forEach(({ above, parts }, at) => {
      above.classList.toggle("later", at > moment);
      for (const { element, user } of parts) element.classList.toggle("later", !isBackward(user));
    });
    this.loss.above.classList.toggle("later", moment < this.count);
    this.loss.below.classList.toggle("later", !isBackward(this.count - 1));
  }

  /** Mark an operation and what it computes: its output, or the gradients with respect to its inputs. */
  mark(step, direction) {
    [...this.columns, this.loss].forEach(({ head, above, parts }, at) => {
      const current = at === step + 1;
      head.classList.toggle("current", current);
      above.classList.toggle("current", current && direction === "forward");
      for (const { element, user } of parts)
        element.classList.toggle("current", direction === "backward" && user === step);
      if (head instanceof HTMLButtonElement) head.setAttribute("aria-pressed", String(current));
    });
    this.loss.below.classList.toggle("current", direction === "backward" && step === this.count - 1);
    for (const { element, to } of this.arcs)
      for (const name of ["forward", "backward"]) element.classList.toggle(name, to === step + 1 && direction === name);
  }

  scrollTo(column) {
    const element = [...this.columns, this.loss][column].element;
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.strip.scrollTo({
      left: element.offsetLeft - this.strip.clientWidth / 2 + element.offsetWidth / 2,
      behavior: calm ? "auto" : "smooth",
    });
  }

  draw() {
    const n = this.explorer.sample;
    for (const { value, output, parts } of this.columns) {
      const channels = value.rank === 4 ? strongest(value, n) : [];
      for (const [picture, array] of [[output, value], ...parts.map((part) => [part.picture, part.array])]) {
        const size = array.data.length / array.shape[0];
        picture.show(array, overviewPlane(array, n, channels), limitOf(array.data.subarray(n * size, (n + 1) * size)));
      }
    }
    this.drawBars(n);
  }

  /** The outputs by class with the targets, and below them p − y. */
  drawBars(n) {
    const {
      arrays,
      kind,
      options: { count },
    } = this.steps.at(-1);
    const { classes } = this.explorer.network;
    const K = classes.length;
    const outputs = arrays.p ?? arrays.z;
    const size = arrays.z.data.length / arrays.z.shape[0];
    if (size !== K || K > 32) return;
    const row = (array) => Array.from(array.data.subarray(n * K, (n + 1) * K));
    const [p, y, d] = [row(outputs), row(arrays.target), row(arrays.dz)];
    const table = (values, heading, most, mark) =>
      h(
        "table",
        {},
        h("caption", {}, heading),
        values.map((value, k) =>
          h(
            "tr",
            { class: mark(k) ? "right" : "" },
            h("th", { scope: "row" }, classes[k]),
            h("td", { class: "track" }, bar(value, most)),
            h("td", {}, brief(value)),
          ),
        ),
      );
    const isRight = (k) => kind.endsWith("crossentropy") && y[k] > 0.5;
    const symbol = arrays.p
      ? ["p, the probabilities", count > 1 ? `(p − y) / ${count}` : "p − y"]
      : ["output", "gradient"];
    this.loss.above.replaceChildren(table(p, symbol[0], largestSize(p), isRight));
    this.loss.below.replaceChildren(table(d, symbol[1], largestSize(d), isRight));
  }
}
