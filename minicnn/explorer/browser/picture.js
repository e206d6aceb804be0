// Pictures of arrays.

import { colourOf } from "./colours.js";
import { h } from "./elements.js";
import { shown, written } from "./numbers.js";

/**
 * A plane as a canvas of colours; overlays are drawn by `outline`. It is at most `most` pixels wide and high, a cell at
 * most `largest`; cells have whole pixels unless the picture has to be of `exact` size.
 */
export class Picture {
  constructor(explorer, { most = 224, largest = 28, exact = false, onPick = null, name, label }) {
    Object.assign(this, { explorer, most, largest, exact, onPick, name });
    this.canvas = h("canvas", {
      class: onPick ? "picture pick" : "picture",
      role: "img",
      "aria-label": label,
      ...(onPick ? { tabindex: 0 } : {}),
    });
    this.canvas.addEventListener("pointermove", (event) => this.hover(event));
    this.canvas.addEventListener("pointerleave", () => explorer.tooltip.hide());
    if (onPick) {
      this.canvas.addEventListener("click", (event) => {
        const at = this.cellAt(event);
        const index = at && this.plane.indexAt(...at);
        if (index) onPick(index);
      });
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
    context.drawImage(
      paint(
        plane.rows,
        plane.columns,
        (row, column) => {
          const index = plane.indexAt(row, column);
          return index && array.get(index);
        },
        limit,
        colours,
      ),
      0,
      0,
      width,
      height,
    );
  }

  /** Draw an outline round cells, two lines in ink and paper, so that it can be seen on every colour. */
  outline(cells, width = 1.5) {
    const context = this.canvas.getContext("2d");
    const [w, v] = this.cell;
    const set = new Set(cells.map(([row, column]) => row * 65536 + column));
    const path = new Path2D();
    for (const [row, column] of cells) {
      const [left, top, right, bottom] = [column * w, row * v, (column + 1) * w, (row + 1) * v];
      const edge = (neighbour, ...line) => {
        if (!set.has(neighbour)) {
          path.moveTo(line[0], line[1]);
          path.lineTo(line[2], line[3]);
        }
      };
      edge((row - 1) * 65536 + column, left, top, right, top);
      edge((row + 1) * 65536 + column, left, bottom, right, bottom);
      edge(row * 65536 + column - 1, left, top, left, bottom);
      edge(row * 65536 + column + 1, right, top, right, bottom);
    }
    context.lineCap = "square";
    for (const [name, extra] of [
      ["paper", 2],
      ["ink", 0],
    ]) {
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
    const index = this.plane.indexAt(
      Math.min(Math.max(now[0] + move[0], 0), this.plane.rows - 1),
      Math.min(Math.max(now[1] + move[1], 0), this.plane.columns - 1),
    );
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
      image.data[at] = red;
      image.data[at + 1] = green;
      image.data[at + 2] = blue;
      image.data[at + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
