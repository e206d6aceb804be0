// A recorded training: loss, kernels, silent units, update-to-weight ratio.

import { legend, limitOf } from "./colours.js";
import { h, svg } from "./elements.js";
import { brief, NDArray, plural, shown, times, total } from "./numbers.js";
import { Picture } from "./picture.js";
import { tilesOf } from "./planes.js";

const CURVES = ["a", "b", "c", "d", "e", "f"];

/** A recorded training with a slider. */
export class Training {
  constructor(explorer) {
    this.explorer = explorer;
    this.data = explorer.network.training;
    this.moments = this.data.steps.length;
    this.parameter = this.data.parameters[0];
    this.slider = h("input", {
      type: "range",
      min: 0,
      max: this.moments - 1,
      value: 0,
      "aria-label": "recorded step",
      input: () => this.show(),
    });
    this.play = h(
      "button",
      { type: "button", click: () => (this.timer ? this.pause() : this.start()) },
      "▶ Play the training",
    );
    this.caption = h("p", { class: "caption", role: "status" });
    this.charts = h("div", { class: "charts" });
    this.kernels = h("div", { class: "pictures" });
    this.units = h("div", { class: "units" });
    const choose = h(
      "select",
      {
        "aria-label": "kernel",
        change: (event) => {
          this.parameter = this.data.parameters[event.target.selectedIndex];
          this.show();
        },
      },
      this.data.parameters.map(({ name }) => h("option", {}, name)),
    );
    this.element = h(
      "section",
      { class: "training", "aria-label": "training, step by step" },
      h("h2", {}, "Training, step by step"),
      h(
        "p",
        {},
        `The network at ${plural(this.moments, "moment")} of its training, seen with ${plural(this.data.probes, "probe sample")}.`,
      ),
      h("div", { class: "player" }, this.play, this.slider),
      this.caption,
      this.charts,
      h("p", {}, h("label", {}, "kernel ", choose)),
      this.kernels,
      this.units,
    );
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
      this.chart(
        "update-to-weight ratio, ‖update‖ / ‖weights‖",
        data.parameters.map(({ name, ratios }) => ({ name, values: ratios.data })),
        at,
        true,
      ),
    );
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
    const chart = svg("svg", {
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": `${title}: ${curves.map(({ name, values }) => `${name} ${brief(values[at])}`).join(", ")}`,
    });
    chart.append(svg("line", { x1: x(at), x2: x(at), y1: 0, y2: height, class: "now" }));
    if (logarithmic) chart.append(svg("line", { x1: 0, x2: width, y1: y(1e-3), y2: y(1e-3), class: "guide" }));
    curves.forEach(({ values }, number) => {
      const points = Array.from(values, (value, moment) =>
        Number.isFinite(scale(value)) ? `${x(moment)},${y(value)}` : null,
      ).filter(Boolean);
      chart.append(svg("polyline", { points: points.join(" "), class: `curve ${CURVES[number % CURVES.length]}` }));
    });
    const names = curves.map(({ name, values }, number) =>
      h("li", {}, h("i", { class: `key ${CURVES[number % CURVES.length]}` }), `${name}: ${brief(values[at])}`),
    );
    return h(
      "figure",
      {},
      h(
        "figcaption",
        {},
        h("b", {}, title),
        logarithmic ? h("small", {}, " logarithmic; the dashed line is 0.001, a usual value") : null,
      ),
      chart,
      h("ul", { class: "names" }, names),
    );
  }

  drawKernels(at) {
    const { name, shape, values, gradients } = this.parameter;
    const pictures = [
      ["weights", values],
      ["gradients", gradients],
    ].map(([title, array]) => {
      const one = array.data.length / this.moments;
      const now = new NDArray(array.data.subarray(at * one, (at + 1) * one), array.shape.slice(1));
      const limit = limitOf(title === "weights" ? array.data : now.data);
      const picture = new Picture(this.explorer, { name, most: 280, label: `${title} of ${name}` });
      picture.show(now, tilesOf(now), limit);
      return h(
        "figure",
        {},
        h(
          "figcaption",
          {},
          h("b", {}, title),
          h(
            "small",
            {},
            ` ${times(now.shape)}${times(now.shape) === times(shape) ? "" : `, the first of ${times(shape)}`}`,
          ),
        ),
        picture.canvas,
        legend(limit),
      );
    });
    this.kernels.replaceChildren(...pictures);
  }

  drawUnits(at) {
    const rows = this.data.units.map(({ name, silent }) => {
      const count = silent.shape[1];
      const now = silent.data.subarray(at * count, (at + 1) * count);
      const dots = h(
        "div",
        { class: "dots", role: "img", "aria-label": `${total(Array.from(now))} of ${count} silent` },
        Array.from(now, (value) => h("i", { class: value ? "silent" : "alive" })),
      );
      return h(
        "tr",
        {},
        h("th", { scope: "row" }, name),
        h("td", {}, `${total(Array.from(now))} of ${count}`),
        h("td", {}, dots),
      );
    });
    this.units.replaceChildren(
      rows.length
        ? h(
            "table",
            {},
            h(
              "caption",
              {},
              `Silent units: ReLUs that give 0 for ${this.data.probes === 1 ? "the probe sample" : "all probe samples"}, at every position. A unit that stays silent for all data is dead: no gradient reaches it any more.`,
            ),
            rows,
          )
        : "",
    );
  }
}
