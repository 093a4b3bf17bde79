// From predictions and a threshold to outcomes, for each task.

import { asExactAs } from "./columns";
import { sumsOf, UNKNOWN_TRUTH } from "./known";
import {
  figuresOf,
  HIDDEN,
  HIT,
  IGNORED,
  MISS,
  RIGHT,
  unjudged,
  WRONG,
  type Judged,
} from "./judged";
import { judgeSets } from "./sets";
import { CROWD, iouOf, matchingOf, NONE, scoreOf } from "./match";
import type { AnomalyData, BoxData, ClassData, Frame, LabelData } from "./sheet";

type Present = Frame["present"];

/** No threshold, but the likelier of two classes; below every score. */
export const LIKELIER = -Infinity;

export const isBinary = (data: ClassData, classes: number): boolean =>
  classes === 2 && data.probs !== null;

/** A probability; of what is not among the top ones it is taken as 0. */
export function probabilityOf(data: ClassData, sample: number, one: number, classes: number) {
  if (data.probs) return data.probs[sample * classes + one]!;
  const { k } = data.top;
  for (let at = sample * k; at < (sample + 1) * k; at += 1) {
    if (data.top.classes[at] === one) return data.top.probs[at]!;
  }
  return 0;
}

function twoWays(judged: Judged, sample: number, truth: number, score: number, t: number): void {
  // What is not a number is wrong at any threshold.
  decide(judged, sample, truth, Number.isNaN(score) ? truth === 0 : score >= t);
}

function decide(judged: Judged, sample: number, truth: number, positive: boolean): void {
  judged.chosen![sample] = positive ? 1 : 0;
  const right = positive === (truth === 1);
  const outcome = right ? (positive ? judged.tp : judged.tn) : positive ? judged.fp : judged.fn;
  outcome[sample] = 1;
  judged.verdict[sample] = right ? RIGHT : WRONG;
  judged.pairSample.push(sample);
  judged.pairCell.push(truth * judged.side + (positive ? 1 : 0));
}

function sumUp(judged: Judged): Judged {
  const [tp, fp, fn, tn] = sumsOf(judged.tp, judged.fp, judged.fn, judged.tn);
  judged.figures = figuresOf(tp, fp, fn);
  judged.accuracy = (tp + tn) / (tp + fp + fn + tn);
  return judged;
}

/** `LIKELIER` takes the likelier of two classes, which two equal ones tell apart. */
export function judgeClasses(
  data: ClassData,
  threshold: number,
  present: Present,
  classes: number,
): Judged {
  const count = data.truth.length;
  const judged = unjudged(count, classes);
  const binary = isBinary(data, classes);
  const chosen = (judged.chosen = new Int32Array(count));
  const from = asExactAs(data.probs ?? data.top.probs, threshold);
  let [right, answered, asked] = [0, 0, 0];
  for (let sample = 0; sample < count; sample += 1) {
    const argmax = data.pred[sample]!;
    // A sample without numbers for probabilities is of no class.
    const lost = argmax < 0;
    if (binary) {
      const positive =
        threshold === LIKELIER ? argmax === 1 : data.probs![sample * 2 + 1]! >= from;
      chosen[sample] = lost ? classes : positive ? 1 : 0;
    } else {
      const sure = !lost && probabilityOf(data, sample, argmax, classes) >= from;
      chosen[sample] = sure ? argmax : classes;
    }
    const truth = data.truth[sample]!;
    if ((present && !present[sample]) || truth === UNKNOWN_TRUTH) continue;
    const pred = chosen[sample]!;
    asked += 1;
    if (binary && !lost) {
      decide(judged, sample, truth, pred === 1);
      if (pred === truth) right += 1;
      continue;
    }
    if (binary) judged.fn[sample] = truth;
    if (pred < classes) answered += 1;
    if (pred === truth) right += 1;
    judged.verdict[sample] = pred === truth ? RIGHT : WRONG;
    judged.pairSample.push(sample);
    judged.pairCell.push(truth * judged.side + pred);
  }
  if (binary) sumUp(judged);
  else judged.figures = figuresOf(right, answered - right, asked - right);
  judged.accuracy = right / asked;
  return judged;
}

export function judgeAnomalies(data: AnomalyData, threshold: number, present: Present): Judged {
  const count = data.truth.length;
  const judged = unjudged(count, 2);
  const chosen = (judged.chosen = new Int32Array(count));
  const from = asExactAs(data.score, threshold);
  for (let sample = 0; sample < count; sample += 1) {
    chosen[sample] = data.score[sample]! >= from ? 1 : 0;
    const truth = data.truth[sample]!;
    if ((present && !present[sample]) || truth === UNKNOWN_TRUTH) continue;
    twoWays(judged, sample, truth, data.score[sample]!, from);
  }
  return sumUp(judged);
}

export function judgeBoxes(
  data: BoxData,
  threshold: number,
  present: Present,
  classes: number,
): Judged {
  const { truth, pred } = data;
  const count = truth.offsets.length - 1;
  const judged = unjudged(count, classes);
  const { order, match } = matchingOf(data);
  const { side, pairSample, pairCell } = judged;
  const from = pred.scores ? asExactAs(pred.scores, threshold) : threshold;
  const boxes = (judged.boxes = {
    pred: new Uint8Array(pred.labels.length),
    truth: new Uint8Array(truth.labels.length),
    partner: new Int32Array(pred.labels.length).fill(NONE),
  });
  for (let image = 0; image < count; image += 1) {
    const [first, last] = [truth.offsets[image]!, truth.offsets[image + 1]!];
    const counted = !present || Boolean(present[image]);
    const pair = (truthClass: number, predClass: number) => {
      if (!counted) return;
      pairSample.push(image);
      pairCell.push(truthClass * side + predClass);
    };
    for (let row = first; row < last; row += 1) boxes.truth[row] = truth.crowd?.[row] ? IGNORED : MISS;
    const left: number[] = [];
    let [tp, fp, fn] = [0, 0, 0];
    for (let at = pred.offsets[image]!; at < pred.offsets[image + 1]!; at += 1) {
      const row = order[at]!;
      const found = match[row]!;
      if (!(scoreOf(pred, row) >= from)) boxes.pred[row] = HIDDEN;
      else if (found === CROWD) boxes.pred[row] = IGNORED;
      else if (found === NONE) {
        boxes.pred[row] = MISS;
        left.push(row);
        fp += 1;
      } else {
        boxes.pred[row] = boxes.truth[found] = HIT;
        boxes.partner[row] = found;
        pair(truth.labels[found]!, pred.labels[row]!);
        tp += 1;
      }
    }
    const missed: number[] = [];
    for (let row = first; row < last; row += 1) if (boxes.truth[row] === MISS) missed.push(row);
    fn = missed.length;
    // What is left is taken for a mix-up of classes where it lies on what was missed.
    for (const row of left) {
      let best = -1;
      let most = 0;
      missed.forEach((other, place) => {
        const iou = other < 0 ? 0 : iouOf(data, row, other);
        if (iou >= data.iou && iou > most) [best, most] = [place, iou];
      });
      const other = best < 0 ? NONE : missed[best]!;
      pair(other < 0 ? classes : truth.labels[other]!, pred.labels[row]!);
      if (best >= 0) missed[best] = NONE;
      boxes.partner[row] = other;
    }
    for (const row of missed) if (row >= 0) pair(truth.labels[row]!, classes);
    if (!counted) continue;
    judged.tp[image] = tp;
    judged.fp[image] = fp;
    judged.fn[image] = fn;
    judged.verdict[image] = fp + fn > 0 ? WRONG : RIGHT;
  }
  return sumUp(judged);
}

/** There is no right or wrong picture here, only right and wrong pixels. */
export function judgeLabels(data: LabelData, present: Present, classes: number): Judged {
  const count = data.cells.offsets.length - 1;
  const judged = unjudged(count, classes);
  const pairCount: number[] = (judged.pairCount = []);
  let [right, all] = [0, 0];
  for (let image = 0; image < count; image += 1) {
    if (present && !present[image]) continue;
    for (let at = data.cells.offsets[image]!; at < data.cells.offsets[image + 1]!; at += 1) {
      const { side } = data.cells;
      const [truth, pred] = [
        Math.floor(data.cells.index[at]! / side),
        data.cells.index[at]! % side,
      ];
      const pixels = data.cells.count[at]!;
      judged.pairSample.push(image);
      judged.pairCell.push(truth * judged.side + pred);
      pairCount.push(pixels);
      all += pixels;
      if (truth === pred) right += pixels;
    }
  }
  judged.accuracy = right / all;
  return judged;
}

export function judge(frame: Frame, threshold: number, classes: number, count: number): Judged {
  const { data, present } = frame;
  switch (data.kind) {
    case "classes":
      return judgeClasses(data, threshold, present, classes);
    case "sets":
      return judgeSets(data, threshold, present, classes);
    case "boxes":
      return judgeBoxes(data, threshold, present, classes);
    case "anomaly":
      return judgeAnomalies(data, threshold, present);
    case "labels":
      return judgeLabels(data, present, classes);
    case "depth":
      return unjudged(count, classes);
  }
}
