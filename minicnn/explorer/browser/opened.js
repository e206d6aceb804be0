// A layer, opened: one element of one of its arrays, where it comes from, and the sum of its products.

import { Closeup } from "./closeup.js";
import { legend } from "./colours.js";
import { bar, h } from "./elements.js";
import { brief, largestSize, plural, shown, size, total, written } from "./numbers.js";
import { aboutOf, explain, hasOneScale, signOf, targetsOf, titleOf } from "./operations.js";
import { Picture } from "./picture.js";
import { isSampled, limitOfPlane, samplePlane, weightPlane } from "./planes.js";

const LISTED = 12;

/** One element of one layer: where it comes from. */
export class Opened {
  constructor(explorer) {
    this.explorer = explorer;
    this.element = h("section", { class: "opened", "aria-label": "a layer, opened" });
    this.remembered = new Map();
    this.closeup = new Closeup(explorer, (at) => this.look(at));
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

  /** Where its inputs come from and who gets its result, if that isn't just the operation before and the one behind. */
  neighbours() {
    const { steps } = this.explorer.network;
    const { inputs, uses, symbols } = this.step;
    const called = (at) => (at === null ? "the network's input" : `${titleOf(steps[at])} (${steps[at].name})`);
    const sentences = [];
    if (symbols.y)
      sentences.push(
        `Its result is called ${symbols.y}; ${steps[uses[0][0]].name === "loss" ? "the loss" : titleOf(steps[uses[0][0]])} gets it.`,
      );
    if (Object.keys(inputs).length > 1)
      sentences.push(
        `Its inputs: ${Object.entries(inputs)
          .map(([name, at]) => `${name} by ${called(at)}`)
          .join(", ")}.`,
      );
    if (uses.length > 1)
      sentences.push(`They are: ${uses.map(([at], k) => `dy${k + 1} by ${called(at)}`).join(", ")}.`);
    return sentences.join(" ");
  }

  forget() {
    this.remembered.clear();
    if (this.step) this.show(this.at, this.direction);
  }

  /** The arrays that this direction computes. */
  targets() {
    const targets = targetsOf(this.step);
    return Object.keys(targets).filter((name) => targets[name].direction === this.direction && this.step.arrays[name]);
  }

  symbol(name) {
    return this.step.symbols[name] ?? name;
  }

  build() {
    const { step, explorer } = this;
    const choice = (value, text, pressed, action) =>
      h("button", { type: "button", value, "aria-pressed": String(pressed), click: action }, text);
    const directions = ["forward", "backward"].map((direction) =>
      choice(direction, direction === "forward" ? "Forward →" : "← Backward", direction === this.direction, () =>
        explorer.open(this.at, direction),
      ),
    );
    const targets = this.targets();
    const choices = targets.map((name) => {
      const text =
        this.direction === "forward"
          ? this.symbol(name)
          : `${name.replace(/^dx/, "input ").replace(/^dz/, "prediction").replace(/^d/, "").trim()}: ${this.symbol(name)}`;
      return choice(name, text, name === this.target, () => {
        this.target = name;
        this.build();
      });
    });
    const { docs } = explorer.network;
    const link =
      step.page &&
      (docs === null
        ? h("small", {}, `documentation: ${step.page}`)
        : h("a", { href: `${docs}/${step.page}` }, "how this works, in the documentation"));
    this.element.replaceChildren(
      h("h2", {}, `${step.name}: ${titleOf(step)}`),
      h("p", {}, `${aboutOf(step)} ${this.neighbours()} `, h("code", {}, step.code), " ", link || null),
      h(
        "div",
        { class: "choices" },
        h("div", { role: "group", "aria-label": "direction", class: "directions" }, directions),
        choices.length > 1
          ? h(
              "div",
              { role: "group", "aria-label": "which array" },
              this.direction === "forward" ? "compute " : "gradient of the loss with respect to the ",
              choices,
            )
          : null,
      ),
    );
    if (!targets.length) {
      this.index = null;
      this.element.append(
        h("p", {}, Object.keys(targetsOf(step)).length ? "Nothing is computed in this direction." : ""),
      );
      return;
    }
    this.parts = {
      pictures: h("div", { class: "pictures" }),
      index: h("div", { class: "index" }),
      formula: h("code", { class: "formula" }),
      words: h("p", { class: "words" }),
      sum: h("p", { class: "sum", role: "status" }),
      terms: h("div", { class: "terms" }),
      follow: h("p", { class: "follow" }),
    };
    this.element.append(
      this.parts.index,
      this.parts.words,
      this.parts.formula,
      this.parts.pictures,
      this.closeup.element,
      this.parts.sum,
      this.parts.terms,
      this.parts.follow,
    );
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
    const size = isSampled(this.target) && array.rank ? array.data.length / array.shape[0] : array.data.length;
    const start = size < array.data.length ? this.explorer.sample * size : 0;
    let best = start;
    for (let at = start; at < start + size; at++) if (Math.abs(array.data[at]) > Math.abs(array.data[best])) best = at;
    return array.index(best);
  }

  buildPictures() {
    const { views } = targetsOf(this.step)[this.target];
    const sign = signOf(this.step, this.target);
    this.views = views
      .filter((name) => this.step.arrays[name])
      .map((name) => {
        const isTarget = name === this.target;
        const picture = new Picture(this.explorer, {
          name: this.symbol(name),
          label: `${this.symbol(name)}${isTarget ? ": choose an element with the arrow keys" : ""}`,
          onPick: isTarget ? (index) => this.choose(index, true) : null,
        });
        const caption = h("small", {});
        const scale = h("div", {});
        const element = h(
          "figure",
          { class: isTarget ? "target" : "" },
          h("figcaption", {}, h("b", {}, this.symbol(name)), " ", caption),
          picture.canvas,
          scale,
        );
        return { name, picture, caption, scale, element };
      });
    const signs = this.views.flatMap(({ element }, at) =>
      at
        ? [h("span", { class: "sign", "aria-hidden": "true" }, at === this.views.length - 1 ? "→" : sign), element]
        : [element],
    );
    this.parts.pictures.replaceChildren(...signs);
  }

  buildIndex() {
    const array = this.step.arrays[this.target];
    const names = axisNames(this.step, this.target, array.rank);
    this.inputs = array.shape.map((length, axis) =>
      h("input", {
        type: "number",
        min: 0,
        max: length - 1,
        value: 0,
        "aria-label": `${names[axis]}, 0 to ${length - 1}`,
        change: () =>
          this.choose(
            this.inputs.map((input, at) =>
              Math.min(Math.max(Math.round(Number(input.value)) || 0, 0), array.shape[at] - 1),
            ),
            true,
          ),
      }),
    );
    const fields = this.inputs.map((input, axis) => h("label", {}, names[axis], input));
    this.className = h("b", {});
    this.parts.index.replaceChildren(
      ...[
        h(
          "span",
          {},
          array.rank ? "Element of " : "",
          h("b", {}, this.symbol(this.target)),
          array.rank ? ": click in its picture, or " : "",
        ),
        ...fields,
        this.className,
      ],
    );
  }

  /** Choose an element: compute its products and show everything about it. */
  choose(index, byHand = false) {
    this.index = index;
    this.remembered.set(this.key(), index);
    this.inputs.forEach((input, axis) => (input.value = index[axis]));
    this.answer = explain(this.step, this.target, index);
    this.className.textContent =
      this.step.name === "loss" && index.length ? this.explorer.network.classes[index.at(-1)] : "";
    const { terms } = this.answer;
    this.order = terms.map((_, at) => at).sort((a, b) => size(terms[b].value) - size(terms[a].value));
    this.focus =
      this.answer.chosen ??
      this.order.find((at) => terms[at].part !== "bias" && terms[at].part !== "penalty") ??
      this.order[0];
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
    const change =
      stored === 0 ? "stay as it is" : `${stored < 0 ? "fall" : "grow"} by about ${brief(Math.abs(stored) / 100)}`;
    const word = terms.every(({ factors }) => factors.length === 1) ? "number" : "product";
    const count =
      terms.length === 1
        ? `the only ${word}`
        : rule
          ? `${rule}, of ${plural(terms.length, "number")}`
          : `the sum of ${plural(terms.length, word)}`;
    const zeros = terms.filter(({ value }) => value === 0).length;
    this.parts.sum.replaceChildren(
      ...[
        h(
          "span",
          {},
          h("output", { class: "added" }, ours),
          ` ${terms.length ? count : "no product: 0"}${zeros && terms.length > 1 ? `, ${zeros.toLocaleString("en")} of them 0` : ""}`,
        ),
        h("span", {}, h("output", { class: "stored" }, theirs), " stored by minicnn"),
        h("span", { class: ours === theirs ? "agree" : "differ" }, ours === theirs ? "✓ equal" : "✗ different"),
        this.direction === "backward" &&
          Number.isFinite(stored) &&
          h(
            "span",
            { class: "meaning" },
            `If ${written(this.symbol(this.target).replace(/^d/, ""), this.index)} grew by 0.01, the loss would ${change}.`,
          ),
      ].filter(Boolean),
    );
  }

  /** The products, largest first; choosing one shows where its factors are. */
  buildTerms() {
    const { terms, listed } = this.answer;
    const most = largestSize(terms.map(({ value }) => value));
    const rows = this.order.slice(0, this.limit).map((at) => {
      const term = terms[at];
      const factors = term.factors
        .map(({ name, index, value }) =>
          index === null
            ? /^[−\d]/.test(name)
              ? name
              : `${name} (${brief(value)})`
            : `${written(name, index)} (${brief(value)})`,
        )
        .join(" · ");
      return h(
        "tr",
        {
          tabindex: 0,
          "data-at": at,
          "aria-current": String(at === this.focus),
          click: () => this.look(at),
          keydown: (event) => {
            if (event.key === "Enter" || event.key === " ") {
              event.preventDefault();
              this.look(at);
            }
          },
        },
        h("td", { class: "number" }, shown(term.value)),
        h("td", { class: "track" }, bar(term.value, most)),
        h("td", {}, term.part ? h("em", {}, `${term.part}: `) : null, factors),
      );
    });
    const rest = this.order.slice(this.limit);
    if (rest.length)
      rows.push(
        h(
          "tr",
          { class: "rest" },
          h("td", { class: "number" }, listed ? "" : shown(total(rest.map((at) => terms[at].value)))),
          h("td", {}),
          h(
            "td",
            {},
            `${listed ? "" : "the sum of "}the other ${rest.length.toLocaleString("en")} `,
            h(
              "button",
              {
                type: "button",
                click: () => {
                  this.limit += 100;
                  this.buildTerms();
                },
              },
              "show more",
            ),
          ),
        ),
      );
    this.parts.terms.replaceChildren(
      terms.length
        ? h("table", {}, h("caption", {}, listed ?? "the parts of the sum, largest first"), h("tbody", {}, rows))
        : "",
    );
  }

  /** Focus on one product. */
  look(at) {
    this.focus = at;
    for (const row of this.parts.terms.querySelectorAll("tr[data-at]"))
      row.setAttribute("aria-current", String(Number(row.dataset.at) === at));
    this.draw();
  }

  /** Draw the pictures that contain the focused product's factors, and mark all factors in them. */
  draw() {
    if (!this.index || !this.answer) return;
    const { terms, also = [] } = this.answer;
    const focus = terms[this.focus];
    const { across } = targetsOf(this.step)[this.target];
    const views = this.views.map((view) => {
      const array = this.step.arrays[view.name];
      const own =
        focus && [...focus.factors, ...(focus.also ?? []), ...also].find((factor) => factor.key === view.name);
      const index = view.name === this.target ? this.index : own ? own.index : this.fallback(array, view.name);
      const plane = isSampled(view.name) && array.rank ? samplePlane(array, index) : weightPlane(array, index, across);
      return { ...view, array, own, index, plane, limit: limitOfPlane(array, plane) };
    });
    const common = hasOneScale(this.step) ? Math.max(...views.map(({ limit }) => limit)) : null;
    for (const view of views) this.drawView(view, common ?? view.limit);
    this.closeup.show(this.answer, this.focus);
    this.drawFollow(focus);
  }

  drawView({ name, picture, caption, scale, array, own, index, plane }, limit) {
    const { terms, also = [], marked = {} } = this.answer;
    const isTarget = name === this.target;
    picture.chosen = isTarget ? index : null;
    picture.show(array, plane, limit);
    caption.textContent = plane.caption;
    scale.replaceChildren(legend(limit));
    if (isTarget) {
      picture.outline([plane.cellOf(index)].filter(Boolean), 2.5);
      return;
    }
    const factors = [...terms.flatMap((term) => [...term.factors, ...(term.also ?? [])]), ...also].filter(
      (factor) => factor.key === name,
    );
    const cells = [...factors.map((factor) => factor.index), ...(marked[name] ?? [])].map((at) => plane.cellOf(at));
    picture.outline(cells.filter(Boolean), 1.2);
    if (own) picture.outline([plane.cellOf(own.index)].filter(Boolean), 2.5);
  }

  /** Where an array of this operation was computed: [operation, target]; undefined for weights and numbers. */
  originOf(key) {
    const { inputs, uses } = this.step;
    const { steps } = this.explorer.network;
    const use = /^dy(\d*)$/.exec(key);
    if (use) return uses[Number(use[1] || 1) - 1];
    let at = inputs[key] ?? null;
    while (at !== null && steps[at].kind === "fork") at = steps[at].inputs.x; // it only copies
    return at === null ? undefined : [at, "y"];
  }

  /** Buttons that open the operation where a factor of the focused product was computed. */
  drawFollow(focus) {
    const { steps } = this.explorer.network;
    const buttons = [...(focus?.factors ?? []), ...(this.answer.also ?? [])]
      .map(({ key, name, index }) => {
        const [at, target] = this.originOf(key) ?? [];
        if (at === undefined || !targetsOf(steps[at])[target]) return null;
        return h(
          "button",
          { type: "button", click: () => this.follow(at, target, index) },
          `${written(name, index)}, by ${titleOf(steps[at])}`,
        );
      })
      .filter(Boolean);
    this.parts.follow.replaceChildren(
      ...(buttons.length ? ["Follow a factor to where it is computed: ", ...buttons] : []),
    );
  }

  follow(at, target, index) {
    this.target = target;
    this.remembered.set(`${at} ${target}`, index);
    this.explorer.open(at, targetsOf(this.explorer.network.steps[at])[target].direction);
    this.explorer.overview.scrollTo(at + 1);
    this.explorer.say(`${written(this.symbol(target), index)} of ${this.step.name}`);
  }

  fallback(array, name) {
    return array.shape.map((_, axis) =>
      isSampled(name) && axis === 0
        ? this.index[0]
        : axis < this.index.length && this.index[axis] < array.shape[axis]
          ? this.index[axis]
          : 0,
    );
  }
}

/** Names of an array's axes for people. */
function axisNames(step, name, rank) {
  if (!rank) return [];
  if (isSampled(name))
    return (
      { 4: ["sample", "row", "column", "channel"], 3: ["sample", "step", "channel"], 2: ["sample", "unit"] }[rank] ?? [
        "sample",
        ...Array.from({ length: rank - 1 }, (_, axis) => `axis ${axis + 1}`),
      ]
    );
  return {
    4: ["row", "column", "input channel", "kernel"],
    3: ["step", "input channel", "kernel"],
    2: ["input", "unit"],
    1: ["channel"],
  }[rank];
}
