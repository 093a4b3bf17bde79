// What happens to the counts as the threshold falls: the ground of PR and ROC curves.

export interface Sweep {
  /** Falling, each once; at each of them what has at least this score counts as positive. */
  thresholds: Float32Array;
  tp: Float64Array;
  fp: Float64Array;
  positives: number;
  negatives: number;
}

/**
 * Sweep over the scores of positive and of negative cases. Two plain sorts of numbers and one
 * merge are many times faster than a sort of indices.
 */
export function sweep(
  positive: Float32Array,
  negative: Float32Array,
  positives = positive.length,
): Sweep {
  // What is not a number is wrong at any threshold: never found, always a false alarm.
  const good = sorted(positive, -Infinity);
  const bad = sorted(negative, Infinity);
  const thresholds = new Float32Array(good.length + bad.length);
  const tp = new Float64Array(thresholds.length);
  const fp = new Float64Array(thresholds.length);
  let [g, b, count] = [0, 0, 0];
  while (g < good.length || b < bad.length) {
    const now = Math.max(good[g] ?? -Infinity, bad[b] ?? -Infinity);
    if (now === -Infinity) break;
    while (g < good.length && good[g]! >= now) g += 1;
    while (b < bad.length && bad[b]! >= now) b += 1;
    if (now === Infinity) continue;
    thresholds[count] = now;
    tp[count] = g;
    fp[count] = b;
    count += 1;
  }
  return {
    thresholds: thresholds.subarray(0, count),
    tp: tp.subarray(0, count),
    fp: fp.subarray(0, count),
    positives,
    negatives: negative.length,
  };
}

function sorted(scores: Float32Array, lost: number): Float32Array {
  const numbers = scores.map((score) => (Number.isNaN(score) ? lost : score));
  return numbers.sort().reverse();
}

export function bestF1(swept: Sweep): number | null {
  let [best, most] = [-1, -1];
  swept.thresholds.forEach((_, at) => {
    const tp = swept.tp[at]!;
    const f1 = (2 * tp) / (tp + swept.fp[at]! + swept.positives);
    if (f1 > most) [best, most] = [at, f1];
  });
  return best < 0 ? null : swept.thresholds[best]!;
}

/** Mean precision over the recall gained at each threshold. */
export function averagePrecision({ tp, fp, positives }: Sweep): number {
  if (!positives) return Number.NaN;
  let [area, before] = [0, 0];
  tp.forEach((hits, at) => {
    area += ((hits - before) / positives) * (hits / (hits + fp[at]!));
    before = hits;
  });
  return area;
}

/** COCO's: the best precision at or beyond each of 101 recalls. */
export function averagePrecision101({ tp, fp, positives }: Sweep): number {
  if (!positives) return Number.NaN;
  let [area, best, at] = [0, 0, tp.length - 1];
  for (let mark = 100; mark >= 0; mark -= 1) {
    while (at >= 0 && tp[at]! / positives >= mark / 100 - 1e-12) {
      best = Math.max(best, tp[at]! / (tp[at]! + fp[at]!));
      at -= 1;
    }
    area += best;
  }
  return area / 101;
}

export function rocArea({ tp, fp, positives, negatives }: Sweep): number {
  if (!positives || !negatives) return Number.NaN;
  let [area, hits, alarms] = [0, 0, 0];
  tp.forEach((now, at) => {
    area += ((fp[at]! - alarms) / negatives) * ((now + hits) / 2 / positives);
    [hits, alarms] = [now, fp[at]!];
  });
  return area;
}
