// Which samples have to do with a class.

import { asExactAs, type Numbers } from "./columns";
import { HIDDEN, type Judged } from "./judged";
import { LIKELIER, probabilityOf } from "./judge";
import { scoreOf } from "./match";
import { labelsOf, saidOf } from "./sets";
import type { Frame, LabelData } from "./sheet";

/** Whether a class is among a sample's truth. */
export function hasTruth(
  frame: Frame,
  judged: Judged,
  sample: number,
  one: (label: number) => boolean,
): boolean {
  const { data } = frame;
  switch (data.kind) {
    case "classes":
    case "anomaly":
      return one(data.truth[sample]!);
    case "sets":
      return labelsOf(data.truth, sample).some(one);
    case "boxes": {
      const { offsets, labels } = data.truth;
      for (let row = offsets[sample]!; row < offsets[sample + 1]!; row += 1) {
        if (one(labels[row]!)) return true;
      }
      return false;
    }
    case "labels":
      return anyCell(data, sample, (cell, side) => one(Math.floor(cell / side)));
    case "depth":
      return false;
  }
}

/** Whether a class is predicted in a sample at the threshold. */
export function hasPred(
  frame: Frame,
  judged: Judged,
  sample: number,
  one: (label: number) => boolean,
): boolean {
  const { data } = frame;
  switch (data.kind) {
    case "classes":
    case "anomaly":
      return one(judged.chosen![sample]!);
    case "sets":
      return saidOf(data, judged, sample).some(one);
    case "boxes": {
      const { offsets, labels } = data.pred;
      for (let row = offsets[sample]!; row < offsets[sample + 1]!; row += 1) {
        if (judged.boxes!.pred[row] !== HIDDEN && one(labels[row]!)) return true;
      }
      return false;
    }
    case "labels":
      return anyCell(data, sample, (cell, side) => one(cell % side));
    case "depth":
      return false;
  }
}

function anyCell(
  data: LabelData,
  sample: number,
  test: (cell: number, side: number) => boolean,
): boolean {
  const { offsets, index, count, side } = data.cells;
  for (let at = offsets[sample]!; at < offsets[sample + 1]!; at += 1) {
    if (count[at]! > 0 && test(index[at]!, side)) return true;
  }
  return false;
}

/** The samples counted positive for a class (-1: for any) at a threshold. */
export function positives(
  frame: Frame,
  one: number,
  threshold: number,
  classes: number,
  count: number,
): Uint8Array {
  const { data } = frame;
  const has = new Uint8Array(count);
  for (let sample = 0; sample < has.length; sample += 1) {
    if (frame.present && !frame.present[sample]) continue;
    const least = (scores: Numbers | null) => (scores ? asExactAs(scores, threshold) : threshold);
    if (data.kind === "anomaly") {
      has[sample] = data.score[sample]! >= least(data.score) ? 1 : 0;
    }
    if (data.kind === "classes") {
      const [from, to] = one < 0 ? [0, classes] : [one, one + 1];
      for (let each = from; each < to; each += 1) {
        const chosen =
          threshold === LIKELIER
            ? data.pred[sample] === each
            : probabilityOf(data, sample, each, classes) >= least(data.probs ?? data.top.probs);
        if (chosen) has[sample] = 1;
      }
    }
    if (data.kind === "sets") {
      const { offsets, labels } = data.scores;
      for (let at = offsets[sample]!; at < offsets[sample + 1]!; at += 1) {
        if (one >= 0 && labels[at] !== one) continue;
        if (data.values[at]! >= least(data.values)) has[sample] = 1;
      }
    }
    if (data.kind === "boxes") {
      const { offsets, labels } = data.pred;
      for (let row = offsets[sample]!; row < offsets[sample + 1]!; row += 1) {
        if (one >= 0 && labels[row] !== one) continue;
        if (scoreOf(data.pred, row) >= least(data.pred.scores)) has[sample] = 1;
      }
    }
  }
  return has;
}
