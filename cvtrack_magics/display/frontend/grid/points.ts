// Key points: how alike two objects are by them, and where they are drawn.

import type { BoxData, Points } from "./sheet";

/** COCO's object keypoint similarity; of an object without labelled points that to its box. */
export function oksOf(data: BoxData, points: Points, pred: number, truth: number): number {
  const { sigmas } = points;
  const area = points.areas[truth]! + Number.EPSILON;
  const [left, top, right, bottom] = [0, 1, 2, 3].map((at) => data.truth.xyxy[truth * 4 + at]!) as [
    number,
    number,
    number,
    number,
  ];
  const [wide, high] = [right - left, bottom - top];
  const labelled = (at: number) => points.truth[(truth * sigmas.length + at) * 3 + 2]! > 0;
  const bare = !sigmas.some((_, at) => labelled(at));
  const beyond = (value: number, low: number, size: number) =>
    Math.max(0, low - size - value) + Math.max(0, value - low - 2 * size);
  let [sum, count] = [0, 0];
  sigmas.forEach((sigma, at) => {
    if (!bare && !labelled(at)) return;
    const [p, t] = [(pred * sigmas.length + at) * 2, (truth * sigmas.length + at) * 3];
    const [x, y] = [points.pred[p]!, points.pred[p + 1]!];
    const dx = bare ? beyond(x, left, wide) : x - points.truth[t]!;
    const dy = bare ? beyond(y, top, high) : y - points.truth[t + 1]!;
    sum += Math.exp(-(dx * dx + dy * dy) / (2 * sigma) ** 2 / area / 2);
    count += 1;
  });
  return sum / count;
}

type Place = [number, number];

/** The points of an object by their order, in native pixels; null for one that is not labelled. */
export function spotsOf(points: Points, side: "truth" | "pred", row: number): (Place | null)[] {
  const step = side === "truth" ? 3 : 2;
  return points.sigmas.map((_, at) => {
    const place = (row * points.sigmas.length + at) * step;
    const all = points[side];
    return step === 3 && !(all[place + 2]! > 0) ? null : [all[place]!, all[place + 1]!];
  });
}

/** Which of COCO's 17 points of a person are joined: pairs of letters, `a` is the nose. */
const PERSON = "ab ac bd ce fg fh hj gi ik fl gm lm ln np mo oq".split(" ");

export function bonesOf(spots: (Place | null)[]): [Place, Place][] {
  if (spots.length !== 17) return [];
  const spot = (letter: string) => spots[letter.charCodeAt(0) - 97]!;
  return PERSON.map((pair) => [spot(pair[0]!), spot(pair[1]!)] as [Place, Place]).filter(
    ([from, to]) => from && to,
  );
}
