// Rows of pictures of one height, each as wide as its picture, filling the width.

export interface Row {
  first: number;
  top: number;
  /** Height of the pictures, without what is said below them. */
  height: number;
}

export interface Layout {
  rows: Row[];
  left: Float32Array;
  width: Float32Array;
  height: number;
}

export const GAP = 6;

/** A very long picture gets a tile of bounded shape, with room beside it. */
const [NARROWEST, WIDEST] = [0.45, 3.2];

export const shapeOf = (width: number, height: number): number =>
  Math.min(WIDEST, Math.max(NARROWEST, width / height || 1));

export function layOut(
  shapes: ArrayLike<number>,
  room: number,
  tall: number,
  below: number,
): Layout {
  const count = shapes.length;
  const left = new Float32Array(count);
  const width = new Float32Array(count);
  const rows: Row[] = [];
  let [first, top, sum, usual] = [0, 0, 0, 1];
  const close = (end: number, scale: number) => {
    let x = 0;
    for (let at = first; at < end; at += 1) {
      left[at] = Math.round(x);
      const next = x + shapes[at]! * tall * scale;
      width[at] = Math.round(next) - Math.round(x);
      x = next + GAP;
    }
    const height = Math.round(tall * scale);
    rows.push({ first, top, height });
    top += height + below + GAP;
    first = end;
    sum = 0;
  };
  for (let at = 0; at < count; at += 1) {
    sum += shapes[at]! * tall;
    const free = room - GAP * (at - first);
    if (sum < free) continue;
    usual = free / sum;
    // Without its last picture the row may need less of a change.
    const rest = sum - shapes[at]! * tall;
    const larger = (free + GAP) / rest;
    if (at > first && larger < 1 / usual) {
      usual = larger;
      close(at, usual);
      sum = shapes[at]! * tall;
    } else close(at + 1, usual);
  }
  // The last row keeps the size of the others instead of filling the width.
  if (first < count) close(count, Math.min(1, usual));
  return { rows, left, width, height: Math.max(0, top - GAP) };
}

/** The row at a height, by halving. */
export function rowAt(rows: readonly Row[], y: number): number {
  let [low, high] = [0, rows.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (rows[middle]!.top <= y) low = middle;
    else high = middle - 1;
  }
  return Math.max(0, low);
}
