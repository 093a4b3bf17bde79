// One metric in order of x. Nearly always that is the order of logging and nothing is copied;
// where it is not, only what comes after the earliest late point is put in order again.

import { Column, countBelow, countUpTo } from "./column";
import { Pyramid, type Extremes } from "./pyramid";
import type { Track } from "./track";

export type Axis = "step" | "time";

export class Line {
  private own: { x: Column; y: Column } | null = null;
  private seen = 0;
  private readonly pyramids: (Pyramid | undefined)[] = [];
  private readonly average = { weight: -1, done: 0, sum: 0, left: 1, values: new Column() };

  constructor(
    private readonly track: Track,
    private readonly axis: Axis,
  ) {}

  get length(): number {
    return this.seen;
  }

  /** Ascending places; null where they are 0, 1, 2, … */
  get x(): Float64Array | null {
    const { track } = this;
    if (this.axis === "step" && track.stuck && track.length > 1) return track.rows?.data ?? null;
    return this.own ? this.own.x.data : this.source.data;
  }

  get y(): Float64Array {
    return this.own ? this.own.y.data : this.track.values.data;
  }

  at(row: number): number {
    const { x } = this;
    return x ? (x[row] as number) : row;
  }

  /** Take in what the track has got since. */
  catchUp(): void {
    const { length } = this.track;
    if (this.seen === length) return;
    const places = this.source.data;
    if (!this.own) {
      let row = Math.max(1, this.seen);
      while (row < length && (places[row] as number) >= (places[row - 1] as number)) row++;
      if (row >= length) {
        this.seen = length;
        return;
      }
      this.own = { x: new Column(), y: new Column() };
      this.own.x.extend(places, 0, this.seen);
      this.own.y.extend(this.track.values.data, 0, this.seen);
    }
    this.merge(this.own, places, length);
    this.seen = length;
  }

  /** An exponential moving average without the bias of its start (as TensorBoard does it). */
  smoothed(weight: number): Float64Array {
    const { average, y } = this;
    if (average.weight !== weight) {
      Object.assign(average, { weight, done: 0, sum: 0, left: 1 });
    }
    average.values.reserve(this.seen);
    const out = average.values.data;
    let { sum, left } = average;
    for (let row = average.done; row < this.seen; row++) {
      const value = y[row] as number;
      if (!Number.isFinite(value)) {
        out[row] = NaN;
        continue;
      }
      sum = sum * weight + (1 - weight) * value;
      left *= weight;
      out[row] = sum / (1 - left);
    }
    average.values.length = average.done = this.seen;
    average.sum = sum;
    average.left = left;
    return out;
  }

  /**
   * The rows that draw all of the line between two x: every row while there are few, else of
   * each pixel the first, the lowest, the highest, one gap and the last.
   */
  rowsToDraw(pixels: number, from: number, to: number, log: boolean): number[] {
    const { x, y, seen } = this;
    const start = Math.max(0, countBelow(x, seen, from) - 1);
    const end = Math.min(seen, countUpTo(x, seen, to) + 1);
    const rows: number[] = [];
    if (end - start <= 4 * pixels) {
      for (let row = start; row < end; row++) rows.push(row);
      return rows;
    }
    const pyramid = (this.pyramids[Number(log)] ??= new Pyramid(log));
    pyramid.extend(y, seen);
    const left = Math.max(from, this.at(start));
    const width = (Math.min(to, this.at(end - 1)) - left) / pixels;
    const found: Extremes = { low: -1, high: -1, gap: -1 };
    let first = start;
    for (let pixel = 1; pixel <= pixels && first < end; pixel++) {
      const after =
        pixel === pixels ? end : Math.min(end, countBelow(x, end, left + pixel * width, first));
      if (after - first <= 4) {
        for (let row = first; row < after; row++) rows.push(row);
      } else {
        pyramid.find(y, first, after, found);
        const chosen = [first, found.low, found.high, found.gap, after - 1];
        chosen.sort((a, b) => a - b);
        let previous = -1;
        for (const row of chosen) {
          if (row > previous) rows.push((previous = row));
        }
      }
      first = after;
    }
    return rows;
  }

  private get source(): Column {
    return this.axis === "time" ? this.track.times : this.track.steps;
  }

  private merge(own: { x: Column; y: Column }, places: Float64Array, length: number): void {
    const values = this.track.values.data;
    const order = Float64Array.from({ length: length - this.seen }, (_, i) => this.seen + i);
    order.sort((a, b) => (places[a] as number) - (places[b] as number) || a - b);
    const begin = countUpTo(own.x.data, this.seen, places[order[0] as number] as number);
    const tailX = own.x.data.slice(begin, this.seen);
    const tailY = own.y.data.slice(begin, this.seen);
    own.x.reserve(length);
    own.y.reserve(length);
    let old = 0;
    let fresh = 0;
    for (let row = begin; row < length; row++) {
      const place = fresh < order.length ? (places[order[fresh] as number] as number) : Infinity;
      if (old < tailX.length && (tailX[old] as number) <= place) {
        own.x.data[row] = tailX[old] as number;
        own.y.data[row] = tailY[old++] as number;
      } else {
        own.x.data[row] = place;
        own.y.data[row] = values[order[fresh++] as number] as number;
      }
    }
    own.x.length = own.y.length = length;
    for (const pyramid of this.pyramids) pyramid?.invalidate(begin);
    if (begin < this.average.done) this.average.weight = -1;
  }
}
