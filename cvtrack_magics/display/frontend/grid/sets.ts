// Any number of labels a sample: each score is judged by itself.

import { asExactAs } from "./columns";
import { figuresOf, RIGHT, unjudged, WRONG, type Judged } from "./judged";
import { sumsOf } from "./known";
import type { Frame, Lists, SetData } from "./sheet";
import { sweep, type Sweep } from "./sweep";

export const labelsOf = ({ offsets, labels }: Lists, sample: number): number[] =>
  Array.from(labels.subarray(offsets[sample]!, offsets[sample + 1]!));

/** The labels that are predicted of a sample. */
export function saidOf(data: SetData, judged: Judged, sample: number): number[] {
  const { offsets, labels } = data.scores;
  const said: number[] = [];
  for (let at = offsets[sample]!; at < offsets[sample + 1]!; at += 1) {
    if (judged.said![at]) said.push(labels[at]!);
  }
  return said;
}

export function judgeSets(
  data: SetData,
  threshold: number,
  present: Frame["present"],
  classes: number,
): Judged {
  const { offsets, labels } = data.scores;
  const count = offsets.length - 1;
  const judged = unjudged(count, classes);
  const said = (judged.said = new Uint8Array(labels.length));
  const from = asExactAs(data.values, threshold);
  let [right, asked] = [0, 0];
  for (let sample = 0; sample < count; sample += 1) {
    const truth = new Set(labelsOf(data.truth, sample));
    const unknown = new Set(labelsOf(data.unknown, sample));
    const counted = (!present || Boolean(present[sample])) && unknown.size < classes;
    const pair = (true_: number, pred: number, outcome: Uint32Array) => {
      if (!counted) return;
      judged.pairSample.push(sample);
      judged.pairCell.push(true_ * judged.side + pred);
      outcome[sample]! += 1;
    };
    for (let at = offsets[sample]!; at < offsets[sample + 1]!; at += 1) {
      const [one, score] = [labels[at]!, data.values[at]!];
      // What is not a number is wrong at any threshold.
      const positive = Number.isNaN(score) ? !truth.has(one) : score >= from;
      if (!positive) continue;
      said[at] = 1;
      if (truth.delete(one)) pair(one, one, judged.tp);
      else if (!unknown.has(one)) pair(classes, one, judged.fp);
    }
    for (const one of truth) pair(one, classes, judged.fn);
    if (!counted) continue;
    const wrong = judged.fp[sample]! + judged.fn[sample]! > 0;
    judged.verdict[sample] = wrong ? WRONG : RIGHT;
    asked += 1;
    right += wrong ? 0 : 1;
  }
  judged.figures = figuresOf(...sumsOf(judged.tp, judged.fp, judged.fn));
  judged.accuracy = right / asked;
  return judged;
}

/** The scores of one class, or of all, by whether it is there. */
export function sweepSets(data: SetData, one: number, present: Frame["present"]): Sweep {
  const [good, bad]: [number[], number[]] = [[], []];
  const { offsets, labels } = data.scores;
  for (let sample = 0; sample + 1 < offsets.length; sample += 1) {
    if (present && !present[sample]) continue;
    const [truth, unknown] = [labelsOf(data.truth, sample), labelsOf(data.unknown, sample)];
    for (let at = offsets[sample]!; at < offsets[sample + 1]!; at += 1) {
      const label = labels[at]!;
      if ((one >= 0 && label !== one) || unknown.includes(label)) continue;
      (truth.includes(label) ? good : bad).push(data.values[at]!);
    }
  }
  return sweep(Float64Array.from(good), Float64Array.from(bad));
}
