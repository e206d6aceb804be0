// Pooling: one number for each window, the largest or the mean.

import { plural, times, written } from "../numbers.js";
import { cellsOf, images, number, product, windowsWith } from "./products.js";

/** NumPy's argmax: the first of equal numbers; the first NaN wins. */
export function winnerOf(values) {
  let winner = 0;
  for (let at = 1; at < values.length && !Number.isNaN(values[winner]); at++) {
    if (values[at] > values[winner] || Number.isNaN(values[at])) winner = at;
  }
  return winner;
}

export const maxPool = {
  title: "max pooling",
  about: (step) => `The largest number of each window of ${times(step.options.window)} stays; the others are dropped.`,
  targets: {
    y: {
      direction: "forward",
      views: ["x", "y"],
      of(step, index) {
        const [x, y] = [images(step, "x"), images(step, "y")];
        const [n, p, q, c] = y.full(index);
        const cells = cellsOf(step, [p, q], [x.length(1), x.length(2)]);
        const terms = cells.map(([h, w, i, j]) => product([x.factor(n, h, w, c)], { cell: [i, j] }));
        const winner = winnerOf(terms.map(({ value }) => value));
        terms[winner].part = "won";
        return {
          terms,
          grid: step.options.window,
          result: terms[winner].value,
          chosen: winner,
          listed: "the numbers of the window",
          rule: "the largest",
          formula: `${y.text(n, p, q, c)} = max ${x.text(n, "…", "…", c)} over the window`,
          words: `Of the ${plural(terms.length, "number")} in this window, the largest is kept: ${written(x.name, terms[winner].factors[0].index)}.`,
        };
      },
    },
    dx: {
      direction: "backward",
      views: ["x", "dy", "dx"],
      of(step, index) {
        const [x, dy, dx] = ["x", "dy", "dx"].map((name) => images(step, name));
        const [n, h, w, c] = dx.full(index);
        const size = [x.length(1), x.length(2)];
        const terms = [...windowsWith(step, [h, w], [dy.length(1), dy.length(2)])].map(([p, q, i, j]) => {
          const cells = cellsOf(step, [p, q], size);
          const winner = cells[winnerOf(cells.map(([u, v]) => x.factor(n, u, v, c).value))];
          const won = winner[2] === i && winner[3] === j;
          const others = cells.filter((cell) => cell !== winner).map(([u, v]) => x.factor(n, u, v, c));
          return product([dy.factor(n, p, q, c), number(won ? "won, 1" : "lost, 0", won ? 1 : 0)], {
            also: [x.factor(n, winner[0], winner[1], c), ...others],
          });
        });
        const wins = terms.filter((term) => term.factors[1].value).length;
        return {
          terms,
          formula: `${dx.text(n, h, w, c)} = Σ ${dy.text(n, "p", "q", c)} over the windows that it won`,
          words:
            terms.length === 0
              ? "No window contains this number: it was dropped at the border, so its gradient is 0."
              : wins
                ? `This number was the largest in ${plural(wins, "window")}, so it gets the gradient of ${wins === 1 ? "that output" : "those outputs"}. The thick frame in x is the winner of the window.`
                : "Another number of the window was larger: the thick frame in x. Changing this one a little changes nothing, so its gradient is 0.",
        };
      },
    },
  },
};

const counted = (step, p, q, size) => cellsOf(step, [p, q], size).length;

export const averagePool = {
  title: "average pooling",
  about: (step) => `The mean of each window of ${times(step.options.window)}.`,
  targets: {
    y: {
      direction: "forward",
      views: ["x", "y"],
      of(step, index) {
        const [x, y] = [images(step, "x"), images(step, "y")];
        const [n, p, q, c] = y.full(index);
        const cells = cellsOf(step, [p, q], [x.length(1), x.length(2)]);
        const share = number(`1 / ${cells.length}`, 1 / cells.length);
        return {
          terms: cells.map(([h, w, i, j]) => product([x.factor(n, h, w, c), share], { cell: [i, j] })),
          grid: step.options.window,
          formula: `${y.text(n, p, q, c)} = Σ ${x.text(n, "…", "…", c)} / ${cells.length} over the window`,
          words: `The mean of the ${plural(cells.length, "number")} in this window.`,
        };
      },
    },
    dx: {
      direction: "backward",
      views: ["dy", "dx"],
      of(step, index) {
        const [dy, dx] = [images(step, "dy"), images(step, "dx")];
        const [n, h, w, c] = dx.full(index);
        const size = [dx.length(1), dx.length(2)];
        const terms = [...windowsWith(step, [h, w], [dy.length(1), dy.length(2)])].map(([p, q, i, j]) => {
          const count = counted(step, p, q, size);
          return product([dy.factor(n, p, q, c), number(`1 / ${count}`, 1 / count)], { cell: [i, j] });
        });
        return {
          terms,
          grid: step.options.window,
          formula: `${dx.text(n, h, w, c)} = Σ ${dy.text(n, "p", "q", c)} / numbers in the window`,
          words: `All numbers of a window have the same share in its mean, so each gets the same share of its gradient. This one was in ${plural(terms.length, "window")}.`,
        };
      },
    },
  },
};
