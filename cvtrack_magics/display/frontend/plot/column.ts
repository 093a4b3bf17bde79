// Numbers that only ever grow at their end.

export class Column {
  data = new Float64Array(64);
  length = 0;

  static of(values: ArrayLike<number>): Column {
    const column = new Column();
    column.extend(Float64Array.from(values), 0, values.length);
    return column;
  }

  /** Add `from[start]` to `from[end - 1]`. */
  extend(from: Float64Array, start: number, end: number): void {
    if (end <= start) return;
    this.reserve(this.length + end - start);
    this.data.set(from.subarray(start, end), this.length);
    this.length += end - start;
  }

  reserve(length: number): void {
    if (length <= this.data.length) return;
    const grown = new Float64Array(Math.max(length, 2 * this.data.length));
    grown.set(this.data.subarray(0, this.length));
    this.data = grown;
  }
}

/** How many of the first `length` ascending numbers are below `value` (`null`: 0, 1, 2, …). */
export function countBelow(
  numbers: Float64Array | null,
  length: number,
  value: number,
  from = 0,
): number {
  if (!numbers) return Math.min(length, Math.max(from, Math.ceil(value)));
  let low = from;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((numbers[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many of the first `length` ascending numbers are at most `value`. */
export function countUpTo(
  numbers: Float64Array | null,
  length: number,
  value: number,
  from = 0,
): number {
  if (!numbers) return Math.min(length, Math.max(from, Math.floor(value) + 1));
  let low = from;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((numbers[middle] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
