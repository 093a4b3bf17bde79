// Before and after: what a change did to each sample.

import { RIGHT, UNKNOWN, WRONG, type Judged } from "./judged";
import { highIsBad, mainScore } from "./order";
import type { Frame } from "./sheet";

export type Change = "fixed" | "broken" | "wrong" | "right" | "better" | "worse" | "same";

export const CHANGES: { judged: Change[]; scored: Change[] } = {
  judged: ["fixed", "broken", "wrong", "right"],
  scored: ["better", "worse", "same"],
};

export const CHANGE_NAMES: Record<Change, string> = {
  fixed: "fixed",
  broken: "broken",
  wrong: "still wrong",
  right: "still right",
  better: "better",
  worse: "worse",
  same: "the same",
};

/** What became of each sample; null where one of the two frames does not say. */
export function changes(
  before: Frame,
  after: Frame,
  was: Judged,
  is: Judged,
): (Change | null)[] {
  const scored = after.data.kind === "labels" || after.data.kind === "depth";
  const name = mainScore([...after.scores.keys()].filter((one) => before.scores.has(one)));
  return Array.from(is.verdict, (_, sample) => {
    if (before.present && !before.present[sample]) return null;
    if (after.present && !after.present[sample]) return null;
    if (scored) {
      if (name === null) return null;
      const [x, y] = [before.scores.get(name)![sample]!, after.scores.get(name)![sample]!];
      if (Number.isNaN(x) || Number.isNaN(y)) return null;
      if (x === y) return "same";
      return y > x === highIsBad(name) ? "worse" : "better";
    }
    const [old, now] = [was.verdict[sample], is.verdict[sample]];
    if (old === UNKNOWN || now === UNKNOWN) return null;
    if (old === WRONG) return now === RIGHT ? "fixed" : "wrong";
    return now === WRONG ? "broken" : "right";
  });
}
