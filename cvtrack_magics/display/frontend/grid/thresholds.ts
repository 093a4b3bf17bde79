// The scores from which on something counts.

import { sweepAnomalies } from "./curves";
import { isBinary, LIKELIER } from "./judge";
import type { Frame, Sheet } from "./sheet";
import { bestF1 } from "./sweep";
import { number4 } from "../shared/format";

/** The scores that the slider goes over; null where a task has no threshold. */
export function thresholdRange(sheet: Sheet): [number, number] | null {
  const { data } = sheet.frames[0]!;
  if (data.kind === "labels" || data.kind === "depth") return null;
  if (data.kind === "sets") return [data.floor, 1];
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

/** Where it begins: of an anomaly at the best F1, of two classes with the likelier. */
export function defaultThreshold(sheet: Sheet, frame: Frame): number {
  const { data } = frame;
  if (data.kind === "anomaly") {
    return bestF1(sweepAnomalies(data, frame.present)) ?? Infinity;
  }
  if (data.kind === "sets") return Math.max(0.5, data.floor);
  if (data.kind === "classes" && isBinary(data, sheet.classes.length)) return LIKELIER;
  return 0;
}

/** Where the slider stands. */
export const placeOnSlider = (threshold: number, [low, high]: readonly [number, number]): number =>
  threshold === LIKELIER ? 0.5 : Math.min(high, Math.max(low, threshold));

export const thresholdText = (threshold: number): string =>
  threshold === LIKELIER ? "likelier" : number4(Number(threshold.toPrecision(4)));
