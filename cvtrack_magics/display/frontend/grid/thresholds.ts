// The scores from which on something counts.

import { sweepAnomalies } from "./curves";
import { isBinary } from "./judge";
import type { Frame, Sheet } from "./sheet";
import { bestF1 } from "./sweep";

/** The scores that the slider goes over; null where a task has no threshold. */
export function thresholdRange(sheet: Sheet): [number, number] | null {
  const { data } = sheet.frames[0]!;
  if (data.kind === "labels" || data.kind === "depth") return null;
  if (data.kind !== "anomaly") return [0, 1];
  let [low, high] = [Infinity, -Infinity];
  for (const frame of sheet.frames) {
    if (frame.data.kind !== "anomaly") continue;
    for (const score of frame.data.score) {
      if (score < low) low = score;
      if (score > high) high = score;
    }
  }
  return low <= high ? [low, high] : [0, 1];
}

/** Where the slider begins: of an anomaly the best F1, of two classes a half. */
export function defaultThreshold(sheet: Sheet, frame: Frame): number {
  const { data } = frame;
  if (data.kind === "anomaly") {
    const best = bestF1(sweepAnomalies(data, frame.present));
    return best ?? (sheet.frames.length ? thresholdRange(sheet)![1] : 0.5);
  }
  if (data.kind === "classes" && isBinary(data, sheet.classes.length)) return 0.5;
  return 0;
}
