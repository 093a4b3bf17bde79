// What is said below a picture.

import { number4 } from "../shared/format";
import { probabilityOf, isBinary } from "./judge";
import { RIGHT, WRONG, type Judged } from "./judged";
import { labelsOf, saidOf } from "./sets";
import type { Frame } from "./sheet";
import type { State } from "./state";

export interface Caption {
  /** A sign beside the colour: "✓", "✗" or none. */
  mark: "" | "✓" | "✗";
  text: string;
  figure: string;
}

const short = (value: number): string => (Number.isNaN(value) ? "–" : value.toFixed(2));

export function captionOf(state: State, frame: Frame, judged: Judged, sample: number): Caption {
  const { data } = frame;
  const verdict = judged.verdict[sample];
  const mark = verdict === RIGHT ? "✓" : verdict === WRONG ? "✗" : "";
  const layers = state.layers.value;
  const arrow = (truth: string | null, pred: string | null, same: boolean): string => {
    const said = [layers.truth ? truth : null, layers.pred ? pred : null].filter(
      (one) => one !== null,
    );
    return said.length === 2 && same ? said[0]! : said.join(" → ");
  };
  switch (data.kind) {
    case "classes": {
      const pred = judged.chosen![sample]!;
      const truth = data.truth[sample]!;
      const classes = state.sheet.classes.length;
      // Of what is not sure enough, the figure says how sure it is.
      const one = pred < classes ? pred : data.pred[sample]!;
      const figure = probabilityOf(data, sample, one, classes);
      const sure = data.probs || figure || !isBinary(data, classes) ? short(figure) : "";
      const text = arrow(
        truth < 0 ? null : state.className(truth),
        state.className(pred),
        pred === truth,
      );
      return { mark, text, figure: layers.pred ? sure : "" };
    }
    case "sets": {
      const named = (labels: number[]) => labels.map((one) => state.className(one)).join(", ") || "nothing";
      const known = data.unknown.offsets[sample + 1]! - data.unknown.offsets[sample]! < state.sheet.classes.length;
      const truth = known ? named(labelsOf(data.truth, sample)) : null;
      const text = arrow(truth, named(saidOf(data, judged, sample)), verdict === RIGHT);
      return { mark, text, figure: scoreText(state, frame, sample, true) };
    }
    case "anomaly": {
      const truth = data.truth[sample]!;
      const pred = judged.chosen![sample]!;
      const text = arrow(
        truth < 0 ? null : state.className(truth),
        state.className(pred),
        truth === pred,
      );
      return { mark, text, figure: layers.pred ? number4(Number(data.score[sample]!.toPrecision(3))) : "" };
    }
    case "boxes": {
      const [tp, fp, fn] = [judged.tp[sample], judged.fp[sample], judged.fn[sample]];
      const said = [`${tp} TP`, fp ? `${fp} FP` : "", fn ? `${fn} FN` : ""].filter(Boolean);
      return { mark, text: said.join(" · "), figure: scoreText(state, frame, sample, true) };
    }
    default:
      return { mark, text: "", figure: scoreText(state, frame, sample, false) };
  }
}

/** The score that samples are sorted by, or the task's own. */
function scoreText(state: State, frame: Frame, sample: number, onlySorted: boolean): string {
  const name = onlySorted ? state.sort.value : state.mainScore();
  const score = name ? frame.scores.get(name) : undefined;
  return score ? `${name} ${number4(Number(score[sample]!.toPrecision(3)))}` : "";
}

export function aloud(state: State, { mark, text, figure }: Caption, sample: number): string {
  const verdict = mark === "✗" ? "wrong" : mark === "✓" ? "right" : "";
  const name = state.sheet.names[sample] || state.sheet.ids[sample];
  return [name, text, figure, verdict].filter(Boolean).join(", ");
}
