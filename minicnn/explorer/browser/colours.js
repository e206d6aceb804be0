// Colours: zero in the middle of the scale, and NaN in a colour of its own.

import { h } from "./elements.js";
import { brief } from "./numbers.js";

/** The colours of the page's style sheet, which has a light and a dark set: [red, green, blue] for each name. */
export function readColours(el) {
  const probe = el.appendChild(h("i"));
  const colour = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe)
      .color.match(/[\d.]+/g)
      .slice(0, 3)
      .map(Number);
  };
  const colours = Object.fromEntries(
    ["negative", "zero", "positive", "nan", "ink", "paper"].map((name) => [name, colour(name)]),
  );
  probe.remove();
  return colours;
}

/** The colour of a number on the scale from −limit to limit, zero in the middle. */
export function colourOf(value, limit, colours) {
  if (Number.isNaN(value)) return colours.nan;
  const share = limit ? Math.min(Math.abs(value) / limit, 1) : 0;
  const end = value < 0 ? colours.negative : colours.positive;
  return colours.zero.map((zero, channel) => zero + share * (end[channel] - zero));
}

/** Nearly the largest absolute value: a single outlier does not make everything else pale. */
export function limitOf(numbers) {
  const sizes = [];
  const stride = Math.max(1, Math.floor(numbers.length / 20000));
  for (let at = 0; at < numbers.length; at += stride)
    if (Number.isFinite(numbers[at]) && numbers[at] !== 0) sizes.push(Math.abs(numbers[at]));
  sizes.sort((a, b) => a - b);
  return sizes.length ? sizes[Math.ceil(0.995 * (sizes.length - 1))] : 0;
}

/** The legend of a picture: the colours from −limit over 0 to limit. */
export const legend = (limit) =>
  h(
    "div",
    { class: "legend", "aria-hidden": "true" },
    h("span", {}, brief(-limit)),
    h("i", {}),
    h("span", {}, limit ? brief(limit) : "0"),
  );
