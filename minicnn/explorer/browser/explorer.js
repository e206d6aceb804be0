// The explorer: one training step of a network, from the input to the loss and back, number by number.
//
// ES modules after the convention of anywidget: the same code runs in a notebook and in an exported page. Python gives a
// description of the network, model.get("network"), and one buffer with all arrays, model.get("numbers"). `bundle.py`
// makes one module of all.

import { readColours } from "./colours.js";
import { h, Tooltip } from "./elements.js";
import { readNetwork } from "./numbers.js";
import { Opened } from "./opened.js";
import { targetsOf } from "./operations.js";
import { Overview } from "./overview.js";
import { Training } from "./training.js";

export default { render };

export function render({ model, el }) {
  const network = readNetwork(model.get("network"), model.get("numbers"));
  const explorer = new Explorer(network, el);
  return () => explorer.remove();
}

/** The whole page. */
class Explorer {
  constructor(network, el) {
    Object.assign(this, { network, el, sample: 0 });
    el.classList.add("minicnn-explorer");
    el.dataset.lmSuppressShortcuts = "true"; // in JupyterLab, the keys are ours while the focus is here
    this.colours = readColours(el);
    this.tooltip = new Tooltip(el);
    this.status = h("p", { class: "visually-hidden", role: "status" });
    this.overview = new Overview(this);
    this.opened = new Opened(this);
    this.training = network.training && new Training(this);
    el.append(
      ...[
        this.header(),
        this.warning(),
        this.overview.element,
        this.opened.element,
        this.training?.element,
        this.status,
      ].filter(Boolean),
    );
    this.dark = window.matchMedia("(prefers-color-scheme: dark)");
    this.recolour = () => {
      const colours = readColours(el);
      if (String(colours.paper) === String(this.colours.paper)) return;
      this.colours = colours;
      this.overview.draw();
      this.opened.draw();
      this.training?.show();
    };
    this.dark.addEventListener("change", this.recolour);
    this.theme = new MutationObserver(this.recolour); // a notebook changes its theme by an attribute
    for (const root of [document.documentElement, document.body]) this.theme.observe(root, { attributes: true });
    this.overview.draw();
    const first = network.steps.findIndex((step) => Object.keys(targetsOf(step)).length);
    if (first >= 0) this.open(first, "forward");
  }

  header() {
    const { network } = this;
    const samples =
      network.samples > 1 &&
      h(
        "label",
        {},
        "sample ",
        h(
          "select",
          { change: (event) => this.choose(Number(event.target.value)) },
          Array.from({ length: network.samples }, (_, n) => h("option", { value: n }, String(n))),
        ),
      );
    return h(
      "header",
      {},
      h("h1", {}, `${network.name}: one training step, number by number`),
      h(
        "p",
        {},
        h("b", { class: "forward" }, "Forward → "),
        "The upper row: the network computes from left to right, up to the loss, which says how wrong the answer is.",
      ),
      h(
        "p",
        {},
        h("b", { class: "backward" }, "← Gradients "),
        "The lower row, from right to left: how much the loss would grow if the number above grew a little. Their names begin with d: dx is the gradient with respect to x.",
      ),
      h(
        "p",
        { class: "colours" },
        "Colours: negative",
        h("i", {}),
        "positive; every picture has its own scale. Point at one to read its numbers. ",
        h("b", {}, "Press play, or choose a layer."),
      ),
      samples || null,
    );
  }

  /** Where a number is not finite, the page says so first. */
  warning() {
    const isGradient = (name) => name.startsWith("d");
    const found = this.network.steps
      .flatMap((step) => Object.keys(step.arrays).map((name) => ({ step, name })))
      .sort((a, b) => isGradient(a.name) - isGradient(b.name)) // the forward pass comes first
      .find(({ step, name }) => step.arrays[name].data.some((value) => !Number.isFinite(value)));
    if (!found) return null;
    const { step, name } = found;
    return h(
      "p",
      { class: "warning", role: "alert" },
      `Some numbers are not finite (NaN or ∞). The first layer with one is ${step.name}, in ${step.symbols[name] ?? name}. NaN is drawn in this colour: `,
      h("i", { class: "nan" }),
    );
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
    this.theme.disconnect();
    this.overview.pause();
    this.training?.pause();
    this.el.replaceChildren();
  }
}
