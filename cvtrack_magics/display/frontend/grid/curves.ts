// PR and ROC curves of a frame, for one class or for all of them together.

import { isBinary, probabilityOf } from "./judge";
import { UNKNOWN_TRUTH } from "./known";
import { AP50, matchingOf, NONE, scoreOf } from "./match";
import { sweepSets } from "./sets";
import type { AnomalyData, BoxData, ClassData, Frame } from "./sheet";
import {
  averagePrecision,
  averagePrecision101,
  rocArea,
  sweep,
  type Sweep,
} from "./sweep";

/** All classes together. */
export const ALL = -1;

/** COCO's average precision looks at the best of a class in an image only. */
const MOST = 100;
const MOST_POSES = 20;

export interface Curve {
  swept: Sweep;
  kind: "pr" | "roc";
  area: number;
}

type Present = Frame["present"];

function sweepClasses(data: ClassData, one: number, present: Present, classes: number): Sweep {
  const { length } = data.truth;
  // All classes together may be a million numbers; growing lists would take most of the time.
  const Kind = data.probs instanceof Float64Array ? Float64Array : Float32Array;
  const good = new Kind(length);
  const bad = new Kind(length * (one === ALL ? classes : 1));
  let [hits, rest] = [0, 0];
  const [from, to] = one === ALL ? [0, classes] : [one, one + 1];
  for (let sample = 0; sample < data.truth.length; sample += 1) {
    const truth = data.truth[sample]!;
    if ((present && !present[sample]) || truth === UNKNOWN_TRUTH) continue;
    if (data.pred[sample]! < 0) continue; // no numbers, so no place in an order
    for (let each = from; each < to; each += 1) {
      const part = probabilityOf(data, sample, each, classes);
      if (truth === each) good[hits++] = part;
      else bad[rest++] = part;
    }
  }
  return sweep(good.subarray(0, hits), bad.subarray(0, rest));
}

function sweepBoxes(data: BoxData, one: number, present: Present): Sweep {
  const [good, bad]: [number[], number[]] = [[], []];
  const { match } = matchingOf(data, AP50);
  const { truth, pred } = data;
  let positives = 0;
  for (let image = 0; image + 1 < truth.offsets.length; image += 1) {
    if (present && !present[image]) continue;
    for (let row = truth.offsets[image]!; row < truth.offsets[image + 1]!; row += 1) {
      if (!truth.crowd?.[row] && (one === ALL || truth.labels[row] === one)) positives += 1;
    }
    for (let row = pred.offsets[image]!; row < pred.offsets[image + 1]!; row += 1) {
      if (one !== ALL && pred.labels[row] !== one) continue;
      if (match[row]! >= 0) good.push(scoreOf(pred, row));
      else if (match[row] === NONE) bad.push(scoreOf(pred, row));
    }
  }
  return sweep(Float64Array.from(good), Float64Array.from(bad), positives);
}

/** COCO's average precision, in whose order equal scores stand as their images do. */
function precisionOf(data: BoxData, one: number, present: Present): number {
  const { order, match } = matchingOf(data, AP50);
  const { truth, pred } = data;
  const scores: number[] = [];
  const hits: boolean[] = [];
  let positives = 0;
  for (let image = 0; image + 1 < truth.offsets.length; image += 1) {
    if (present && !present[image]) continue;
    for (let row = truth.offsets[image]!; row < truth.offsets[image + 1]!; row += 1) {
      if (!truth.crowd?.[row] && (one === ALL || truth.labels[row] === one)) positives += 1;
    }
    const seen = new Map<number, number>();
    for (let at = pred.offsets[image]!; at < pred.offsets[image + 1]!; at += 1) {
      const row = order[at]!;
      const label = pred.labels[row]!;
      const score = scoreOf(pred, row);
      if ((one !== ALL && label !== one) || Number.isNaN(score)) continue;
      seen.set(label, (seen.get(label) ?? 0) + 1);
      if (seen.get(label)! > (data.points ? MOST_POSES : MOST) || (match[row]! < 0 && match[row] !== NONE)) continue;
      scores.push(score);
      hits.push(match[row]! >= 0);
    }
  }
  const falling = scores.map((_, at) => at).sort((a, b) => scores[b]! - scores[a]! || a - b);
  return averagePrecision101(falling.map((at) => hits[at]!), positives);
}

export function sweepAnomalies(data: AnomalyData, present: Present): Sweep {
  const [good, bad]: [number[], number[]] = [[], []];
  data.truth.forEach((truth, sample) => {
    if ((present && !present[sample]) || truth === UNKNOWN_TRUTH) return;
    (truth === 1 ? good : bad).push(data.score[sample]!);
  });
  return sweep(Float64Array.from(good), Float64Array.from(bad));
}

/** The class whose curve is drawn: with two of them the second is the positive one. */
export function classOfCurve(frame: Frame, one: number, classes: number): number {
  const { data } = frame;
  return data.kind === "classes" && isBinary(data, classes) ? 1 : one;
}

function sweepOf(frame: Frame, one: number, classes: number): Sweep | null {
  const { data, present } = frame;
  if (data.kind === "classes") {
    return sweepClasses(data, classOfCurve(frame, one, classes), present, classes);
  }
  if (data.kind === "boxes") return sweepBoxes(data, one, present);
  if (data.kind === "sets") return hasCurve(frame) ? sweepSets(data, one, present) : null;
  return data.kind === "anomaly" ? sweepAnomalies(data, present) : null;
}

/** As many steps as can be told apart on a screen. */
const STEPS = 800;

/** What a curve is drawn and clicked by: the sweep without points that lie on each other. */
function thinned(swept: Sweep, kind: Curve["kind"]): Sweep {
  const { tp, fp, positives, negatives } = swept;
  const kept: number[] = [];
  let [x, y] = [-1, -1];
  tp.forEach((hits, at) => {
    const along = hits / positives;
    const other = kind === "pr" ? hits / (hits + fp[at]!) : fp[at]! / negatives;
    const moved = Math.abs(along - x) * STEPS >= 1 || Math.abs(other - y) * STEPS >= 1;
    if (!moved && at + 1 < tp.length) return;
    kept.push(at);
    [x, y] = [along, other];
  });
  const take = (values: Float64Array) => Float64Array.from(kept, (at) => values[at]!);
  return {
    ...swept,
    thresholds: take(swept.thresholds),
    tp: take(tp),
    fp: take(fp),
  };
}

function areaOf(frame: Frame, swept: Sweep, kind: Curve["kind"], one: number): number {
  const { data, present } = frame;
  // Of one kind of samples only there is no order to speak of.
  if (data.kind === "sets" && !swept.positives) return Number.NaN;
  if (data.kind !== "boxes" && data.kind !== "sets" && !(swept.positives && swept.negatives)) return Number.NaN;
  if (kind === "roc") return rocArea(swept);
  return data.kind === "boxes" ? precisionOf(data, one, present) : averagePrecision(swept);
}

/** The mean over the classes that have objects. */
export function meanPrecision(frame: Frame, classes: number): number {
  const areas = Array.from({ length: classes }, (_, one) => curveOf(frame, "pr", one, classes)!.area);
  const known = areas.filter((area) => !Number.isNaN(area));
  return known.reduce((sum, area) => sum + area, 0) / known.length;
}

const known = new WeakMap<Frame, Map<string, Curve | null>>();

export function curveOf(
  frame: Frame,
  kind: Curve["kind"],
  one: number,
  classes: number,
): Curve | null {
  let curves = known.get(frame);
  if (!curves) known.set(frame, (curves = new Map()));
  const key = `${kind}${one}`;
  if (!curves.has(key)) {
    const swept = sweepOf(frame, one, classes);
    if (swept) curves.set(key, { swept: thinned(swept, kind), kind, area: areaOf(frame, swept, kind, one) });
    else curves.set(key, null);
  }
  return curves.get(key)!;
}

export const hasRoc = (frame: Frame, classes: number): boolean =>
  frame.data.kind === "anomaly" ||
  (frame.data.kind === "classes" && isBinary(frame.data, classes));

export const hasCurve = (frame: Frame): boolean =>
  (frame.data.kind === "sets" && !frame.data.floor) || frame.data.kind === "classes" || frame.data.kind === "boxes" || frame.data.kind === "anomaly";

/** Where the curve goes, from its left: x, y for each threshold. */
export function pointsOf({ swept, kind }: Curve): [number, number][] {
  const { tp, fp, positives, negatives } = swept;
  return Array.from(tp, (hits, at) =>
    kind === "pr"
      ? [hits / positives, hits / (hits + fp[at]!)]
      : [fp[at]! / negatives, hits / positives],
  );
}
