// Where the operations' inputs come from, as columns of the overview: column 0 is the input, column k + 1 operation k.

/** The columns of an operation's inputs. */
export const columnsBefore = ({ inputs }) => Object.values(inputs).map((at) => (at === null ? 0 : at + 1));

/** An arc for each value that goes further than to the next column: { from, to, lane }; arcs in one lane don't overlap. */
export function arcsOf(steps) {
  const arcs = steps.flatMap((step, at) =>
    columnsBefore(step)
      .filter((from) => from !== at)
      .map((from) => ({ from, to: at + 1 })),
  );
  arcs.sort((a, b) => a.to - a.from - (b.to - b.from));
  arcs.forEach((arc, at) => {
    const near = arcs
      .slice(0, at)
      .filter(({ from, to }) => from < arc.to && arc.from < to)
      .map(({ lane }) => lane);
    arc.lane = 0;
    while (near.includes(arc.lane)) arc.lane += 1;
  });
  return arcs;
}

/** The columns that don't get the value of the column before them. */
export const gapsOf = (steps) =>
  steps.map((step, at) => (columnsBefore(step).includes(at) ? null : at + 1)).filter((at) => at !== null);
