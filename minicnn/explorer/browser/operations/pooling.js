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

/** The numbers of x in the window of y[n, p, q, c], and their cells in the window. */
function numbersOf(step, [n, p, q, c]) {
  const x = images(step, "x");
  return cellsOf(step, [p, q], [x.length(1), x.length(2)]).map(([h, w, i, j]) => ({
    factor: x.factor(n, h, w, c),
    cell: [i, j],
  }));
}

/** The outputs whose windows contain x[n, h, w, c], and its cell in each window. */
function windowsOf(step, [n, h, w, c]) {
  const y = images(step, "y");
  return [...windowsWith(step, [h, w], [y.length(1), y.length(2)])].map(([p, q, i, j]) => ({
    at: [n, p, q, c],
    cell: [i, j],
  }));
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
        const numbers = numbersOf(step, [n, p, q, c]);
        const terms = numbers.map(({ factor, cell }) => product([factor], { cell }));
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
        const [dy, dx] = ["dy", "dx"].map((name) => images(step, name));
        const [n, h, w, c] = dx.full(index);
        const terms = windowsOf(step, [n, h, w, c]).map(({ at, cell }) => {
          const numbers = numbersOf(step, at);
          const winner = numbers[winnerOf(numbers.map(({ factor }) => factor.value))];
          const won = String(winner.cell) === String(cell);
          return product([dy.factor(...at), number(won ? "won, 1" : "lost, 0", won ? 1 : 0)], {
            also: [winner, ...numbers].map(({ factor }) => factor), // the first one gets the thick frame
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
        const numbers = numbersOf(step, [n, p, q, c]);
        const share = number(`1 / ${numbers.length}`, 1 / numbers.length);
        return {
          terms: numbers.map(({ factor, cell }) => product([factor, share], { cell })),
          grid: step.options.window,
          formula: `${y.text(n, p, q, c)} = Σ ${x.text(n, "…", "…", c)} / ${numbers.length} over the window`,
          words: `The mean of the ${plural(numbers.length, "number")} in this window.`,
        };
      },
    },
    dx: {
      direction: "backward",
      views: ["dy", "dx"],
      of(step, index) {
        const [dy, dx] = [images(step, "dy"), images(step, "dx")];
        const [n, h, w, c] = dx.full(index);
        const terms = windowsOf(step, [n, h, w, c]).map(({ at, cell }) => {
          const count = numbersOf(step, at).length;
          return product([dy.factor(...at), number(`1 / ${count}`, 1 / count)], { cell });
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
