// What lies under the pointer: classes, heat or depth, as numbers.

import { number4 } from "../shared/format";
import { nativeSize } from "./paint";
import type { Resources, Values } from "./resources";
import type { Frame, Pictures } from "./sheet";
import type { State } from "./state";

const FULL = 1 << 20;

export function pixelAt(
  state: State,
  resources: Resources,
  frame: Frame,
  sample: number,
  [x, y]: readonly [number, number],
): string | null {
  const [width, height] = nativeSize(state, sample);
  if (x < 0 || y < 0 || x >= width || y >= height) return null;
  const { data } = frame;
  const read = (name: string, pictures: Pictures | null, wide = false): number | null => {
    if (!pictures) return null;
    const key = `${name}:${frame.index}`;
    const values: Values | null = resources.values(key, pictures, sample, wide, FULL);
    if (!values) return null;
    const column = Math.floor(((x + 0.5) * values.width) / width);
    return values.data[Math.floor(((y + 0.5) * values.height) / height) * values.width + column]!;
  };
  const words = [`x ${x}, y ${y}`];
  if (data.kind === "labels") {
    const nothing = data.wide ? 65535 : 255;
    for (const [name, pictures] of [["truth", data.truth], ["pred", data.pred]] as const) {
      const value = read(name, pictures, data.wide);
      if (value !== null) words.push(`${name} ${value === nothing ? "no class" : state.className(value)}`);
    }
  }
  const value = (name: string, pictures: Pictures | null, [low, high]: [number, number], from: number) => {
    const level = read(name, pictures);
    if (level === null) return;
    const shown = low + ((high - low) * (level - from)) / (255 - from);
    words.push(`${name} ${level < from ? "no value" : number4(Number(shown.toPrecision(3)))}`);
  };
  if (data.kind === "anomaly") value("heat", data.heat, data.heatRange, 0);
  if (data.kind === "depth") {
    value("truth", data.truth, data.range, 1);
    value("pred", data.pred, data.range, 1);
    value("error", data.error, data.errorRange, 1);
  }
  return words.join(" · ");
}
