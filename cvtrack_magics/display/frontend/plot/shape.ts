// From points in order to the aligned columns that uPlot draws.

export type Cell = number | null | undefined;

/** One curve's places, and the columns (raw, smoothed) that stand on them. */
export interface Strand {
  x: number[];
  columns: Cell[][];
}

/**
 * Put strands on one x column. A curve without a point at some x has `undefined` there (the
 * line goes on), a curve whose value is not a number has `null` (the line breaks). Points
 * of one curve with the same x keep rows of their own.
 */
export function align(strands: Strand[]): [number[], ...Cell[][]] {
  const x: number[] = [];
  const out = strands.map(({ columns }) => columns.map((): Cell[] => []));
  const at = new Int32Array(strands.length);
  for (;;) {
    let next = Infinity;
    for (let i = 0; i < strands.length; i++) {
      const place = (strands[i] as Strand).x[at[i] as number];
      if (place !== undefined && place < next) next = place;
    }
    if (next === Infinity) break;
    x.push(next);
    for (let i = 0; i < strands.length; i++) {
      const strand = strands[i] as Strand;
      const here = at[i] as number;
      const hit = strand.x[here] === next;
      const into = out[i] as Cell[][];
      for (let k = 0; k < into.length; k++) {
        (into[k] as Cell[]).push(hit ? (strand.columns[k] as Cell[])[here] : undefined);
      }
      if (hit) at[i] = here + 1;
    }
  }
  return [x, ...out.flat()];
}

/** The row nearest to `row` where a column has a value, or -1. */
export function nearest(x: ArrayLike<number>, column: ArrayLike<Cell>, row: number): number {
  const has = (i: number) => column[i] !== null && column[i] !== undefined;
  let before = row;
  let after = row;
  while (before >= 0 && !has(before)) before--;
  while (after < x.length && !has(after)) after++;
  if (before < 0) return after < x.length ? after : -1;
  if (after >= x.length) return before;
  const target = x[row] as number;
  return target - (x[before] as number) <= (x[after] as number) - target ? before : after;
}

/** Rows whose value has a gap (or nothing) on both sides: no line shows them, a dot must. */
export function lonely(column: ArrayLike<Cell>): number[] {
  const rows: number[] = [];
  let previous: Cell = null;
  let candidate = -1;
  for (let i = 0; i < column.length; i++) {
    const value = column[i];
    if (value === undefined) continue;
    if (value === null) {
      if (candidate >= 0) rows.push(candidate);
      candidate = -1;
    } else {
      candidate = previous === null ? i : -1;
    }
    previous = value;
  }
  if (candidate >= 0) rows.push(candidate);
  return rows;
}
