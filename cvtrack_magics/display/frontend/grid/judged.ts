// What a frame's predictions amount to at one threshold.

export const UNKNOWN = 0;
export const RIGHT = 1;
export const WRONG = 2;

/** What became of one box; a prediction below the threshold is hidden. */
export const HIDDEN = 0;
export const HIT = 1;
export const MISS = 2;
export const IGNORED = 3;

export interface Figures {
  precision: number;
  recall: number;
  f1: number;
}

export interface Judged {
  /** For each sample: unknown, right or wrong. */
  verdict: Uint8Array;
  /** For each sample: how many there are of each outcome. */
  tp: Uint32Array;
  fp: Uint32Array;
  fn: Uint32Array;
  tn: Uint32Array;
  /** Pairs of truth and prediction: cell = truth * side + prediction; the last is "none". */
  side: number;
  pairSample: number[];
  pairCell: number[];
  pairCount: number[] | null;
  figures: Figures;
  accuracy: number;
  /** What is predicted of each sample at the threshold; the number of classes is "none". */
  chosen: Int32Array | null;
  /** Which of the scores of several labels count as predicted. */
  said: Uint8Array | null;
  /** What became of each box. */
  boxes: { pred: Uint8Array; truth: Uint8Array; partner: Int32Array } | null;
}

/** Of a class that occurs: what nothing was predicted or true of is 0. */
export const partOf = (part: number, whole: number): number => (whole ? part / whole : 0);

/** Means over the classes that occur in truth or prediction. */
export function macroOf({ tp, fp, fn }: ClassCounts): Figures {
  const sums = { precision: 0, recall: 0, f1: 0 };
  let classes = 0;
  tp.forEach((t, one) => {
    const [p, n] = [fp[one]!, fn[one]!];
    if (!(t + p + n)) return;
    classes += 1;
    sums.precision += partOf(t, t + p);
    sums.recall += partOf(t, t + n);
    sums.f1 += partOf(2 * t, 2 * t + p + n);
  });
  const mean = (sum: number) => sum / classes;
  return { precision: mean(sums.precision), recall: mean(sums.recall), f1: mean(sums.f1) };
}

export function meanIou({ tp, fp, fn }: ClassCounts): number {
  const known = [...tp].map((t, one) => t / (t + fp[one]! + fn[one]!)).filter((iou) => !Number.isNaN(iou));
  return known.reduce((sum, iou) => sum + iou, 0) / known.length;
}

export function figuresOf(tp: number, fp: number, fn: number): Figures {
  return {
    precision: tp / (tp + fp),
    recall: tp / (tp + fn),
    f1: (2 * tp) / (2 * tp + fp + fn),
  };
}

export function unjudged(count: number, classes: number): Judged {
  return {
    verdict: new Uint8Array(count),
    tp: new Uint32Array(count),
    fp: new Uint32Array(count),
    fn: new Uint32Array(count),
    tn: new Uint32Array(count),
    side: classes + 1,
    pairSample: [],
    pairCell: [],
    pairCount: null,
    figures: figuresOf(0, 0, 0),
    accuracy: Number.NaN,
    chosen: null,
    said: null,
    boxes: null,
  };
}

/** The confusion matrix; few of its cells are not 0. */
export function matrixOf(judged: Judged): Map<number, number> {
  const cells = new Map<number, number>();
  judged.pairCell.forEach((cell, at) => {
    cells.set(cell, (cells.get(cell) ?? 0) + (judged.pairCount?.[at] ?? 1));
  });
  return cells;
}

export interface ClassCounts {
  tp: Float64Array;
  fp: Float64Array;
  fn: Float64Array;
}

export function countsOf(cells: ReadonlyMap<number, number>, side: number): ClassCounts {
  const classes = side - 1;
  const counts = {
    tp: new Float64Array(classes),
    fp: new Float64Array(classes),
    fn: new Float64Array(classes),
  };
  for (const [cell, count] of cells) {
    const [truth, pred] = [Math.floor(cell / side), cell % side];
    if (truth === pred && truth < classes) counts.tp[truth]! += count;
    else {
      if (truth < classes) counts.fn[truth]! += count;
      if (pred < classes) counts.fp[pred]! += count;
    }
  }
  return counts;
}

/** The samples that have a pair for which `test` holds. */
export function samplesWith(
  judged: Judged,
  test: (truth: number, pred: number) => boolean,
): Uint8Array {
  const has = new Uint8Array(judged.verdict.length);
  const { side } = judged;
  judged.pairCell.forEach((cell, at) => {
    if (test(Math.floor(cell / side), cell % side)) has[judged.pairSample[at]!] = 1;
  });
  return has;
}
