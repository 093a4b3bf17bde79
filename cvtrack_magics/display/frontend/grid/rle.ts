// Masks as run lengths: down the columns, beginning with zeros.

import type { Runs } from "./sheet";

export function areaOf(runs: Runs, row: number): number {
  let area = 0;
  const end = runs.offsets[row + 1]!;
  for (let at = runs.offsets[row]! + 1; at < end; at += 2) area += runs.counts[at]!;
  return area;
}

/** Pixels that two masks of one size share, found without unrolling either. */
export function shared(a: Runs, rowA: number, b: Runs, rowB: number): number {
  let [atA, atB] = [a.offsets[rowA]!, b.offsets[rowB]!];
  const [endA, endB] = [a.offsets[rowA + 1]!, b.offsets[rowB + 1]!];
  const [firstA, firstB] = [atA, atB];
  if (atA >= endA || atB >= endB) return 0;
  let [leftA, leftB] = [a.counts[atA]!, b.counts[atB]!];
  let both = 0;
  for (;;) {
    const step = Math.min(leftA, leftB);
    if ((atA - firstA) & (atB - firstB) & 1) both += step;
    leftA -= step;
    leftB -= step;
    if (leftA === 0) {
      atA += 1;
      if (atA >= endA) return both;
      leftA = a.counts[atA]!;
    }
    if (leftB === 0) {
      atB += 1;
      if (atB >= endB) return both;
      leftB = b.counts[atB]!;
    }
  }
}

/**
 * A mask of `width` × `height` pixels, sampled at `across` × `down` points, row by row.
 * Sampling it while the runs are walked costs the small size, not the native one.
 */
export function sampled(
  runs: Runs,
  row: number,
  width: number,
  height: number,
  across: number,
  down: number,
): Uint8Array {
  const mask = new Uint8Array(across * down);
  const first = runs.offsets[row]!;
  const end = runs.offsets[row + 1]!;
  let at = first;
  let until = at < end ? runs.counts[at]! : 0;
  const rows = new Float64Array(down);
  for (let y = 0; y < down; y += 1) rows[y] = Math.floor(((y + 0.5) * height) / down);
  for (let x = 0; x < across; x += 1) {
    const start = Math.floor(((x + 0.5) * width) / across) * height;
    for (let y = 0; y < down; y += 1) {
      const place = start + rows[y]!;
      while (at < end && until <= place) {
        at += 1;
        until += at < end ? runs.counts[at]! : 0;
      }
      if (at >= end) return mask;
      if ((at - first) & 1) mask[y * across + x] = 1;
    }
  }
  return mask;
}
