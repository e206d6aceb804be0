import { colourOf, legend, limitOf } from "./colours.js";
import { h, svg } from "./elements.js";
import { brief, NDArray, plural, shown, total, written } from "./numbers.js";
import { explain, OPERATIONS, titleOf } from "./operations.js";
import { Picture } from "./picture.js";
import { limitOfPlane, SAMPLED, samplePlane, weightPlane } from "./planes.js";

const LISTED = 12;

/** One element of one layer: where it comes from. */
export class Opened {
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
