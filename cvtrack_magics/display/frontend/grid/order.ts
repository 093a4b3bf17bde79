// Sorting: which end of a score is the bad one, and an order that keeps NaN last.

import type { Numbers } from "./columns";

const BAD_WHEN_HIGH =
  /loss|err|rmse|mae|abs_?rel|sq_?rel|entropy|uncertain|anomal|score|^fp|^fn|missed|false|distance|suspicion/i;

/** Whether high values of this score are the bad ones: a loss, not a confidence. */
export function highIsBad(name: string): boolean {
  return BAD_WHEN_HIGH.test(name);
}

/** Samples by a score; those without one come last, equal ones keep their order. */
export function sortedBy(rows: number[], score: Numbers, descending: boolean): number[] {
  const sign = descending ? -1 : 1;
  return rows.sort((a, b) => {
    const [x, y] = [score[a]!, score[b]!];
    if (Number.isNaN(x) || Number.isNaN(y)) {
      return Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || a - b;
    }
    return sign * (x - y) || a - b;
  });
}

/** The score to speak of where none was chosen. */
export function mainScore(names: readonly string[]): string | null {
  for (const wanted of ["loss", "f1", "iou", "miou", "absrel", "abs_rel", "rmse", "score"]) {
    const found = names.find((name) => name.toLowerCase() === wanted);
    if (found !== undefined) return found;
  }
  return names[0] ?? null;
}
