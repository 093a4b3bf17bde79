// The lowest, the highest and one gap of every 16, 256, 4096, … rows, so that what a pixel
// shows is found in a few steps however many rows it stands for.

const SHIFT = 4;
const FAN = 1 << SHIFT;

interface Level {
  low: Int32Array;
  high: Int32Array;
  gap: Int32Array;
}

/** Rows of a stretch; -1 where it has none of the kind. */
export interface Extremes {
  low: number;
  high: number;
  gap: number;
}

export class Pyramid {
  private readonly levels: Level[] = [];
  private done = 0;

  /** `log`: what is not above zero is a gap too. */
  constructor(private readonly log: boolean) {}

  /** Rows from `row` on have changed. */
  invalidate(row: number): void {
    this.done = Math.min(this.done, row);
  }

  /** Catch up with a column; costs in proportion to the rows that are new. */
  extend(y: Float64Array, length: number): void {
    if (this.done >= length) return;
    let first = this.done >> SHIFT;
    let count = Math.ceil(length / FAN);
    this.fillGround(y, first, count, length);
    for (let depth = 1; count > 1; depth++) {
      const below = count;
      first >>= SHIFT;
      count = Math.ceil(count / FAN);
      this.fillLevel(y, depth, first, count, below);
    }
    this.done = length;
  }

  /** Find the extremes of the rows from `start` up to, not including, `end`. */
  find(y: Float64Array, start: number, end: number, into: Extremes): void {
    let low = -1;
    let high = -1;
    let gap = -1;
    let row = start;
    while (row < end) {
      let depth = -1;
      let size = 1;
      while (depth + 1 < this.levels.length) {
        const larger = size * FAN;
        if (row % larger || row + larger > end) break;
        size = larger;
        depth += 1;
      }
      if (depth < 0) {
        const value = y[row] as number;
        if (this.isGap(value)) gap = row;
        else {
          if (low < 0 || value < (y[low] as number)) low = row;
          if (high < 0 || value > (y[high] as number)) high = row;
        }
      } else {
        const level = this.levels[depth] as Level;
        const at = row / size;
        const lower = level.low[at] as number;
        if (lower >= 0) {
          const higher = level.high[at] as number;
          if (low < 0 || (y[lower] as number) < (y[low] as number)) low = lower;
          if (high < 0 || (y[higher] as number) > (y[high] as number)) high = higher;
        }
        if ((level.gap[at] as number) >= 0) gap = level.gap[at] as number;
      }
      row += size;
    }
    into.low = low;
    into.high = high;
    into.gap = gap;
  }

  private isGap(value: number): boolean {
    return !Number.isFinite(value) || (this.log && value <= 0);
  }

  private fillGround(y: Float64Array, first: number, count: number, length: number): void {
    const level = this.level(0, count);
    for (let block = first; block < count; block++) {
      const end = Math.min(length, (block + 1) * FAN);
      let low = -1;
      let high = -1;
      let gap = -1;
      for (let row = block * FAN; row < end; row++) {
        const value = y[row] as number;
        if (this.isGap(value)) gap = row;
        else {
          if (low < 0 || value < (y[low] as number)) low = row;
          if (high < 0 || value > (y[high] as number)) high = row;
        }
      }
      level.low[block] = low;
      level.high[block] = high;
      level.gap[block] = gap;
    }
  }

  private fillLevel(
    y: Float64Array,
    depth: number,
    first: number,
    count: number,
    below: number,
  ): void {
    const level = this.level(depth, count);
    const from = this.levels[depth - 1] as Level;
    for (let block = first; block < count; block++) {
      const end = Math.min(below, (block + 1) * FAN);
      let low = -1;
      let high = -1;
      let gap = -1;
      for (let at = block * FAN; at < end; at++) {
        const lower = from.low[at] as number;
        if (lower >= 0) {
          const higher = from.high[at] as number;
          if (low < 0 || (y[lower] as number) < (y[low] as number)) low = lower;
          if (high < 0 || (y[higher] as number) > (y[high] as number)) high = higher;
        }
        if ((from.gap[at] as number) >= 0) gap = from.gap[at] as number;
      }
      level.low[block] = low;
      level.high[block] = high;
      level.gap[block] = gap;
    }
  }

  private level(depth: number, count: number): Level {
    let level = this.levels[depth];
    if (!level || level.low.length < count) {
      const size = Math.max(FAN, 2 * count);
      const grown = (old?: Int32Array) => {
        const wider = new Int32Array(size);
        if (old) wider.set(old);
        return wider;
      };
      level = { low: grown(level?.low), high: grown(level?.high), gap: grown(level?.gap) };
      this.levels[depth] = level;
    }
    return level;
  }
}
