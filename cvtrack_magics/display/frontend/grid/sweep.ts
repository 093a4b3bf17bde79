// What happens to the counts as the threshold falls: the ground of PR and ROC curves.

type Scores = Float32Array | Float64Array;

export interface Sweep {
  /** Falling, each once; at each of them what has at least this score counts as positive. */
  thresholds: Float64Array;
  tp: Float64Array;
  fp: Float64Array;
  positives: number;
  negatives: number;
  /** False alarms at any threshold. */
  always: number;
}

/**
 * Sweep over the scores of positive and of negative cases. Two plain sorts of numbers and one
 * merge are many times faster than a sort of indices.
 */
export function sweep(
  positive: Scores,
  negative: Scores,
  positives = positive.length,
): Sweep {
  // What is not a number is wrong at any threshold: never found, always a false alarm.
  const [good, bad] = [sorted(positive), sorted(negative)];
  const always = negative.length - bad.length;
  const thresholds = new Float64Array(good.length + bad.length);
  const tp = new Float64Array(thresholds.length);
  const fp = new Float64Array(thresholds.length);
  let [g, b, count] = [0, 0, 0];
  while (g < good.length || b < bad.length) {
    const now = Math.max(good[g] ?? -Infinity, bad[b] ?? -Infinity);
    while (g < good.length && good[g]! >= now) g += 1;
    while (b < bad.length && bad[b]! >= now) b += 1;
    thresholds[count] = now;
    tp[count] = g;
    fp[count] = always + b;
    count += 1;
  }
  return {
    thresholds: thresholds.subarray(0, count),
    tp: tp.subarray(0, count),
    fp: fp.subarray(0, count),
    positives,
    negatives: negative.length,
    always,
  };
}

function sorted(scores: Scores): Scores {
  return scores.filter((score) => !Number.isNaN(score)).sort().reverse();
}

export function bestF1(swept: Sweep): number | null {
  let [best, most] = [-1, 0];
  swept.thresholds.forEach((_, at) => {
    const tp = swept.tp[at]!;
    const f1 = (2 * tp) / (tp + swept.fp[at]! + swept.positives);
    if (f1 > most) [best, most] = [at, f1];
  });
  return best < 0 ? null : swept.thresholds[best]!;
}

/** Mean precision over the recall gained at each threshold. */
export function averagePrecision({ tp, fp, positives, negatives }: Sweep): number {
  if (!positives) return Number.NaN;
  let [area, before] = [0, 0];
  tp.forEach((hits, at) => {
    area += ((hits - before) / positives) * (hits / (hits + fp[at]!));
    before = hits;
  });
  // What is not a number comes last.
  return area + ((positives - before) / positives) * (positives / (positives + negatives));
}

/** COCO's: the best precision at or beyond each of 101 recalls, in the order of the scores. */
export function averagePrecision101(hits: readonly boolean[], positives: number): number {
  if (!positives) return Number.NaN;
  // The marks are multiples of 0.01, as NumPy has them.
  let found = hits.filter(Boolean).length;
  let [area, best, at] = [0, 0, hits.length - 1];
  for (let mark = 100; mark >= 0; mark -= 1) {
    while (at >= 0 && found / positives >= mark * 0.01) {
      best = Math.max(best, found / (at + 1));
      if (hits[at]) found -= 1;
      at -= 1;
    }
    area += best;
  }
  return area / 101;
}

export function rocArea({ tp, fp, positives, negatives, always }: Sweep): number {
  if (!positives || !negatives) return Number.NaN;
  let [area, hits, alarms] = [0, 0, always];
  tp.forEach((now, at) => {
    area += ((fp[at]! - alarms) / negatives) * ((now + hits) / 2 / positives);
    [hits, alarms] = [now, fp[at]!];
  });
  return area + ((negatives - alarms) / negatives) * ((positives + hits) / 2 / positives);
}
