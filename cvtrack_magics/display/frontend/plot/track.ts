// One metric's points as they were logged, and what is known of them without looking again.

import { Column } from "./column";
import { Line, type Axis } from "./line";

export interface Chunk {
  steps: Float64Array;
  values: Float64Array;
  times: Float64Array;
  /** Places of the points in the metric's whole series, where not all of them were sent. */
  rows?: Float64Array;
}

export class Track {
  readonly steps = new Column();
  readonly values = new Column();
  readonly times = new Column();
  /** Places of the points in the whole series; null while none is missing. */
  rows: Column | null = null;
  /** How many points the kernel has logged; it may have sent fewer. */
  logged = 0;
  /** Whether all steps are the same: whoever logs without steps leaves only an order. */
  stuck = true;
  /** Rows of the lowest and the highest finite value, or -1. */
  low = -1;
  high = -1;
  private readonly lines = new Map<Axis, Line>();

  get length(): number {
    return this.values.length;
  }

  append(chunk: Chunk, start: number, end: number, first = this.logged): void {
    const from = this.length;
    this.steps.extend(chunk.steps, start, end);
    this.values.extend(chunk.values, start, end);
    this.times.extend(chunk.times, start, end);
    if (chunk.rows) {
      this.rows ??= counted(0, from);
      this.rows.extend(chunk.rows, start, end);
    } else {
      this.rows?.extend(counted(first, end - start).data, 0, end - start);
    }
    const steps = this.steps.data;
    const values = this.values.data;
    for (let row = from; row < this.length; row++) {
      if (steps[row] !== steps[0]) this.stuck = false;
      const value = values[row] as number;
      if (!Number.isFinite(value)) continue;
      if (this.low < 0 || value < (values[this.low] as number)) this.low = row;
      if (this.high < 0 || value > (values[this.high] as number)) this.high = row;
    }
  }

  /** Where a row stands on an axis; times are absolute. */
  at(axis: Axis, row: number): number {
    if (axis === "time") return this.times.data[row] as number;
    if (this.stuck && this.length > 1) return this.rows ? (this.rows.data[row] as number) : row;
    return this.steps.data[row] as number;
  }

  last(): number | undefined {
    return this.length ? this.values.data[this.length - 1] : undefined;
  }

  /** The points in order of an axis. */
  line(axis: Axis): Line {
    let line = this.lines.get(axis);
    if (!line) this.lines.set(axis, (line = new Line(this, axis)));
    line.catchUp();
    return line;
  }
}

/** Begin of a run on the clock, for relative times. */
export function epochOf(tracks: Map<string, Track>): number {
  let first = Infinity;
  for (const track of tracks.values()) {
    if (track.length) first = Math.min(first, track.times.data[0] as number);
  }
  return Number.isFinite(first) ? first : 0;
}

function counted(first: number, count: number): Column {
  return Column.of(Float64Array.from({ length: count }, (_, i) => first + i));
}
