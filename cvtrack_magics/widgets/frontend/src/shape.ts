// From points as logged to the aligned columns that uPlot draws.

import type { Track } from "./store";

export type Axis = "step" | "time";
export type Cell = number | null | undefined;

export interface Curve {
  x: number[];
  y: (number | null)[];
}

/** One curve in order of x; what is not a finite number becomes a gap. */
export function curveOf(track: Track, axis: Axis, epoch: number): Curve {
  const { steps, values, times } = track;
  const y = values.map((value) => (Number.isFinite(value) ? value : null));
  // Whoever logs without steps gets step 0 for all points; their order is what is left.
  const stuck = steps.length > 1 && steps.every((step) => step === steps[0]);
  const x =
    axis === "time" ? times.map((time) => time - epoch) : stuck ? steps.map((_, i) => i) : steps;
  if (x.every((value, i) => i === 0 || value >= (x[i - 1] as number))) return { x, y };
  const order = x.map((_, i) => i).sort((a, b) => (x[a] as number) - (x[b] as number) || a - b);
  return { x: order.map((i) => x[i] as number), y: order.map((i) => y[i] as number | null) };
}

/** Exponential moving average without the bias of its start (as TensorBoard does it). */
export function smooth(y: (number | null)[], weight: number): (number | null)[] {
  let sum = 0;
  let left = 1;
  return y.map((value) => {
    if (value === null) return null;
    sum = sum * weight + (1 - weight) * value;
    left *= weight;
    return sum / (1 - left);
  });
}

/**
 * The rows of a curve that draw all of it between two x: where there are more than three for
 * a pixel, the lowest, the highest and one gap of each pixel.
 */
export function rowsToDraw(curve: Curve, pixels: number, from: number, to: number): number[] {
  const { x, y } = curve;
  let start = 0;
  let end = x.length;
  while (start < end && (x[start] as number) < from) start++;
  while (end > start && (x[end - 1] as number) > to) end--;
  start = Math.max(0, start - 1);
  end = Math.min(x.length, end + 1);
  const rows: number[] = [];
  if (end - start <= 3 * pixels) {
    for (let i = start; i < end; i++) rows.push(i);
    return rows;
  }
  const width = (end - start) / pixels;
  for (let pixel = 0; pixel < pixels; pixel++) {
    const first = start + Math.floor(pixel * width);
    const after = start + Math.floor((pixel + 1) * width);
    const found = new Set<number>(pixel === 0 ? [first] : []);
    let low = -1;
    let high = -1;
    let gap = -1;
    for (let i = first; i < after; i++) {
      const value = y[i] as number | null;
      if (value === null) gap = i;
      else {
        if (low < 0 || value < (y[low] as number)) low = i;
        if (high < 0 || value > (y[high] as number)) high = i;
      }
    }
    for (const row of [low, high, gap]) if (row >= 0) found.add(row);
    if (pixel === pixels - 1) found.add(end - 1);
    rows.push(...[...found].sort((a, b) => a - b));
  }
  return rows;
}

/**
 * Put curves on one x column. A curve without a point at some x has `undefined` there (the
 * line goes on), a curve whose value is not a number has `null` (the line breaks). Points
 * of one curve with the same x keep rows of their own.
 */
export function align(curves: Curve[], columns: Cell[][][]): [number[], ...Cell[][]] {
  const at = curves.map(() => 0);
  const x: number[] = [];
  const out = columns.map((group) => group.map(() => [] as Cell[]));
  for (;;) {
    let next = Infinity;
    curves.forEach((curve, i) => {
      next = Math.min(next, curve.x[at[i] as number] ?? Infinity);
    });
    if (next === Infinity) break;
    x.push(next);
    curves.forEach((curve, i) => {
      const here = at[i] as number;
      const hit = curve.x[here] === next;
      for (const [k, column] of columns.entries()) {
        out[k]?.[i]?.push(hit ? column[i]?.[here] : undefined);
      }
      if (hit) at[i] = here + 1;
    });
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
