// The close-up of a window: factors and products as numbers at their places, and the share of every channel in the sum.

import { colourOf, legend, limitOf } from "./colours.js";
import { h, svg } from "./elements.js";
import { brief, largestSize, NDArray, shown, size } from "./numbers.js";
import { Picture } from "./picture.js";

export class Closeup {
  /** `look(at)` is called when a product is chosen. */
  constructor(explorer, look) {
    Object.assign(this, { explorer, look, element: h("div", { class: "closeup" }) });
  }

  /** The products of one channel in their places, factor by factor, and how much each channel contributes. */
  show(answer, focused) {
    Object.assign(this, { answer, focused: answer.terms[focused] });
    const { terms, grid, grouped } = answer;
    const placed = terms.filter((term) => term.cell);
    if (!grid || !placed.length) {
      this.element.replaceChildren();
      return;
    }
    const group = this.focused?.group ?? placed[0].group;
    const inGroup = placed.filter((term) => term.group === group);
    const parts = [];
    if (grouped && new Set(placed.map((term) => term.group)).size > 1) parts.push(this.groups(placed, group, grouped));
    const [rows, columns] = grid;
    if (rows * columns <= 49) parts.push(this.grids(inGroup, rows, columns));
    else parts.push(this.productMap(inGroup, rows, columns));
    this.element.replaceChildren(...parts);
  }

  /** One bar for each channel's share of the sum. */
  groups(placed, group, [letter, word]) {
    const sums = new Map();
    for (const term of placed) sums.set(term.group, (sums.get(term.group) ?? 0) + term.value);
    const values = [...sums.values()];
    const most = largestSize(values) || 1;
    const [width, half] = [Math.max(3, Math.min(14, Math.floor(560 / values.length))), 32];
    const chart = svg("svg", {
      viewBox: `0 0 ${values.length * width} ${2 * half}`,
      width: values.length * width,
      height: 2 * half,
      role: "img",
      "aria-label": `the share of every ${word}`,
    });
    const pick = (wanted) => {
      const terms = this.answer.terms
        .map((term, at) => [size(term.value), at])
        .filter(([, at]) => this.answer.terms[at].group === wanted);
      if (terms.length) this.look(terms.reduce((best, term) => (term[0] > best[0] ? term : best))[1]);
    };
    [...sums].forEach(([at, value], column) => {
      const length = Math.max((half * Math.abs(value)) / most || 0, 0.75);
      chart.append(
        svg("rect", {
          x: column * width + 0.5,
          width: width - 1,
          y: value < 0 ? half : half - length,
          height: length,
          class: value < 0 ? "negative" : "positive",
        }),
      );
      if (at === group)
        chart.append(svg("rect", { x: column * width, width, y: 0, height: 2 * half, class: "chosen" }));
      const area = svg("rect", { x: column * width, width, y: 0, height: 2 * half, class: "area" });
      area.addEventListener("click", () => pick(at));
      area.addEventListener("pointermove", (event) =>
        this.explorer.tooltip.show(event, `${word} ${at}: ${shown(value)}`),
      );
      area.addEventListener("pointerleave", () => this.explorer.tooltip.hide());
      chart.append(area);
    });
    const input = h("input", {
      type: "number",
      min: 0,
      max: Math.max(...sums.keys()),
      value: group,
      "aria-label": word,
      change: (event) => pick(Number(event.target.value)),
    });
    return h(
      "div",
      { class: "groups" },
      h(
        "p",
        {},
        `Share of every ${word} ${letter} in the sum; shown is `,
        h("label", {}, letter, input),
        ` with ${shown(sums.get(group))}`,
      ),
      h("div", { class: "scroll" }, chart),
    );
  }

  /** Small windows: factors and products as numbers, at their places in the window. */
  grids(terms, rows, columns) {
    const at = (row, column) => terms.find((term) => term.cell[0] === row && term.cell[1] === column);
    const table = (title, text, tint) =>
      h(
        "table",
        { class: "grid" },
        h("caption", {}, title),
        Array.from({ length: rows }, (_, row) =>
          h(
            "tr",
            {},
            Array.from({ length: columns }, (_, column) => {
              const term = at(row, column);
              return h(
                "td",
                {
                  class: term && terms.length > 1 && term === this.focused ? "focused" : "",
                  style: term ? tint(term) : "",
                },
                term ? text(term) : "·",
              );
            }),
          ),
        ),
      );
    const factors = terms[0].factors.map((factor, number) => {
      const values = terms.map((term) => term.factors[number].value);
      const most = largestSize(values);
      const title =
        factor.key === "dy" && this.answer.turned ? this.answer.turned : factor.key ? factor.name : "factor";
      return table(
        title,
        (term) => brief(term.factors[number].value),
        (term) => this.tint(term.factors[number].value, most),
      );
    });
    const most = largestSize(terms.map(({ value }) => value));
    const products = table(
      "product",
      (term) => brief(term.value),
      (term) => this.tint(term.value, most),
    );
    if (factors.length === 1) return h("div", { class: "grids" }, factors);
    return h(
      "div",
      { class: "grids" },
      factors.flatMap((factor, number) => (number ? [h("span", { class: "sign" }, "·"), factor] : [factor])),
      h("span", { class: "sign" }, "="),
      products,
    );
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
    picture.show(
      array,
      { rows, columns, square: rows > 1, indexAt: (row, column) => [row, column], cellOf: (index) => index },
      limitOf(values),
    );
    if (terms.includes(this.focused)) picture.outline([this.focused.cell], 2.5);
    return h(
      "figure",
      {},
      h("figcaption", {}, h("b", {}, "products"), h("small", {}, " at their positions")),
      picture.canvas,
      legend(limitOf(values)),
    );
  }
}
