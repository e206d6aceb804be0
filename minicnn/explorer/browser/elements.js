// The page's elements, and the text beside the pointer.

/** An HTML element: h("p", { class: "words" }, "text", child). Attributes that are functions become listeners. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A bar from the middle of its track, to the left for negative numbers; a number of size `most` fills its half. */
export const bar = (value, most) =>
  h("i", {
    class: value < 0 ? "bar negative" : "bar",
    style: `width: ${most ? (50 * Math.min(Math.abs(value) / most, 1)).toFixed(1) : 0}%`,
  });

/** The text beside the pointer. */
export class Tooltip {
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
