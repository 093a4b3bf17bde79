// Which prediction found which truth.

import { oksOf } from "./points";
import { areaOfQuad, quadOf, sharedByQuads } from "./quads";
import { areaOf, shared } from "./rle";
import type { BoxData, Boxes, Data } from "./sheet";

/** Not matched; matched to a crowd, which neither helps nor hurts. */
export const NONE = -1;
export const CROWD = -2;

/** From this overlap on average precision is of what is found: COCO's AP50. */
export const AP50 = 0.5;

/** As COCO has it: of 1, what rounding leaves of it is enough. */
const leastOf = (iou: number): number => Math.min(iou, 1 - 1e-10);

/** Of what does not count: a part of a crowd is enough, of another object it is not. */
const IN_CROWD = 1;
/** It takes one prediction, as an object that counts does. */
const ONCE = 3;

export interface Matching {
  /** Rows of the predictions, image by image, each by falling score. */
  order: Int32Array;
  /** For each prediction the row of the truth it found, `NONE` or `CROWD`. */
  match: Int32Array;
}

export const scoreOf = (boxes: Boxes, row: number): number => boxes.scores?.[row] ?? 1;

function overlap(a: Boxes, rowA: number, b: Boxes, rowB: number): [number, number, number] {
  const [p, t] = [rowA * 4, rowB * 4];
  const [ax, ay, aX, aY] = [a.xyxy[p]!, a.xyxy[p + 1]!, a.xyxy[p + 2]!, a.xyxy[p + 3]!];
  const [bx, by, bX, bY] = [b.xyxy[t]!, b.xyxy[t + 1]!, b.xyxy[t + 2]!, b.xyxy[t + 3]!];
  const across = Math.min(aX, bX) - Math.max(ax, bx);
  const down = Math.min(aY, bY) - Math.max(ay, by);
  if (across <= 0 || down <= 0) return [0, 1, 1];
  if (a.runs && b.runs) {
    return [shared(a.runs, rowA, b.runs, rowB), areaOf(a.runs, rowA), areaOf(b.runs, rowB)];
  }
  return [across * down, (aX - ax) * (aY - ay), (bX - bx) * (bY - by)];
}

/** Of masks where both have them, of boxes otherwise; of key points their similarity. */
export function iouOf(data: BoxData, pred: number, truth: number): number {
  if (data.points) return oksOf(data, data.points, pred, truth);
  if (data.corners) {
    const [both, mine, theirs] = turned(data, pred, truth);
    return both > 0 ? both / (mine + theirs - both) : 0;
  }
  const [both, mine, theirs] = overlap(data.pred, pred, data.truth, truth);
  const all = mine + theirs - both;
  return all > 0 ? both / all : 0;
}

function turned(data: BoxData, pred: number, truth: number): [number, number, number] {
  const one = quadOf(data.corners!.pred, pred);
  const other = quadOf(data.corners!.truth, truth);
  return [sharedByQuads(one, other), areaOfQuad(one), areaOfQuad(other)];
}

/** What overlaps are called. */
export const measureOf = (data: Data): string =>
  data.kind === "boxes" && data.points ? "OKS" : "IoU";

/** How much of a prediction lies in a crowd: COCO's overlap with a region of many. */
function within(data: BoxData, pred: number, truth: number): number {
  const [both, mine] = data.corners
    ? turned(data, pred, truth)
    : overlap(data.pred, pred, data.truth, truth);
  return mine > 0 ? both / mine : 0;
}

/**
 * Match greedily by falling score, each prediction to the free truth of its class with the
 * highest overlap. What a prediction finds does not depend on those below it, so one matching
 * serves every threshold.
 */
export function matchBoxes(data: BoxData, iou = data.iou): Matching {
  const { truth, pred } = data;
  const least = leastOf(iou);
  const order = new Int32Array(pred.labels.length);
  const match = new Int32Array(pred.labels.length).fill(NONE);
  const taken = new Uint8Array(truth.labels.length);
  for (let image = 0; image + 1 < pred.offsets.length; image += 1) {
    const [from, to] = [pred.offsets[image]!, pred.offsets[image + 1]!];
    const [first, last] = [truth.offsets[image]!, truth.offsets[image + 1]!];
    const rows = Array.from({ length: to - from }, (_, at) => from + at);
    // A score that is no number comes last and finds nothing.
    const score = (row: number) => (Number.isNaN(scoreOf(pred, row)) ? -Infinity : scoreOf(pred, row));
    const falls = (a: number, b: number) => (score(a) === score(b) ? a - b : score(b) - score(a));
    rows.sort(falls);
    order.set(rows, from);
    for (const row of rows) {
      if (Number.isNaN(scoreOf(pred, row))) continue;
      let best = NONE;
      let most = 0;
      let crowded = false;
      let [aside, near] = [NONE, 0];
      for (let other = first; other < last; other += 1) {
        if (truth.labels[other] !== pred.labels[row]) continue;
        if (truth.crowd?.[other] === ONCE) {
          const covered = taken[other] ? 0 : iouOf(data, row, other);
          if (covered >= least && covered >= near) [aside, near] = [other, covered];
          continue;
        }
        if (truth.crowd?.[other]) {
          const inside = truth.crowd[other] === IN_CROWD && !data.points ? within : iouOf;
          crowded ||= inside(data, row, other) >= least;
          continue;
        }
        if (taken[other]) continue;
        const covered = iouOf(data, row, other);
        // Of equal ones the last, as COCO has it.
        if (covered >= least && covered >= most) [best, most] = [other, covered];
      }
      if (best >= 0) taken[best] = 1;
      else if (!crowded && aside >= 0) taken[aside] = 1;
      match[row] = best >= 0 ? best : crowded || aside >= 0 ? CROWD : NONE;
    }
  }
  return { order, match };
}

const known = new WeakMap<BoxData, Map<number, Matching>>();

export function matchingOf(data: BoxData, iou = data.iou): Matching {
  let matchings = known.get(data);
  if (!matchings) known.set(data, (matchings = new Map()));
  let matching = matchings.get(iou);
  if (!matching) matchings.set(iou, (matching = matchBoxes(data, iou)));
  return matching;
}
