// What lies over a picture pixel by pixel: masks, label maps, heat and depth.

import { HIDDEN, type Judged } from "./judged";
import { inferno, rgbOf, viridis, type Rgb } from "./palette";
import type { Resources, Values } from "./resources";
import { sampled } from "./rle";
import type { AnomalyData, Boxes, Frame, LabelData, Pictures } from "./sheet";
import type { State } from "./state";

export interface Raster {
  image: ImageData;
  /** Whether all it is made of was here. */
  whole: boolean;
}

/** A box that the pointer is on. */
export interface Spot {
  side: "truth" | "pred";
  row: number;
}

/** Pixels a side of the label maps that tiles are drawn from. */
const SMALL = 320;
const FULL = 1 << 20;
const DASH = 3;

/** Pixels being made. */
class Plane {
  readonly image: ImageData;
  private readonly words: Uint32Array;

  constructor(
    readonly across: number,
    readonly down: number,
  ) {
    this.image = new ImageData(across, down);
    this.words = new Uint32Array(this.image.data.buffer);
  }

  set(at: number, [r, g, b]: Rgb, alpha: number): void {
    this.words[at] = ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
  }

  /** The border of an area, dashed or whole. `inside` says what belongs to it. */
  outline(inside: (at: number) => number, colour: (value: number) => Rgb | null, dashed: boolean) {
    const { across, down } = this;
    for (let y = 0; y < down; y += 1) {
      for (let x = 0; x < across; x += 1) {
        const at = y * across + x;
        const value = inside(at);
        const edge =
          (x > 0 && inside(at - 1) !== value) ||
          (y > 0 && inside(at - across) !== value) ||
          (x + 1 < across && inside(at + 1) !== value) ||
          (y + 1 < down && inside(at + across) !== value);
        if (!edge) continue;
        const tint = colour(value);
        if (!tint) continue;
        if (!dashed || Math.floor((x + y) / DASH) % 2) this.set(at, tint, 255);
        else this.set(at, [0, 0, 0], 150);
      }
    }
  }
}

function sampler(values: Values, across: number, down: number): Int32Array {
  const out = new Int32Array(across * down);
  for (let y = 0; y < down; y += 1) {
    const line = Math.floor(((y + 0.5) * values.height) / down) * values.width;
    for (let x = 0; x < across; x += 1) {
      out[y * across + x] = values.data[line + Math.floor(((x + 0.5) * values.width) / across)]!;
    }
  }
  return out;
}

export class Painter {
  private readonly colours: Rgb[];

  constructor(
    private readonly state: State,
    private readonly resources: Resources,
  ) {
    this.colours = state.sheet.classes.map(({ colour }) => rgbOf(colour));
  }

  /** The layers of one sample at a size; null where there are none. */
  raster(
    frame: Frame,
    judged: Judged,
    sample: number,
    across: number,
    down: number,
    native: boolean,
    spot: Spot | null = null,
    view = this.state.view.value,
  ): Raster | null {
    const { data } = frame;
    const most = native ? FULL : SMALL;
    const load = (name: string, pictures: Pictures | null, wide = false): Int32Array | null => {
      if (!pictures) return null;
      const key = `${name}:${frame.index}`;
      const values = this.resources.values(key, pictures, sample, wide, most);
      return values && sampler(values, across, down);
    };
    if (data.kind === "classes" || data.kind === "sets") return null;
    if (data.kind === "boxes" && !data.pred.runs && !data.truth.runs) return null;
    const plane = new Plane(across, down);
    let whole = true;
    const layers = this.state.layers.value;
    switch (data.kind) {
      case "boxes": {
        if (layers.masks) this.masks(plane, frame, judged, sample, spot);
        break;
      }
      case "labels": {
        const { truth, pred } = layers;
        const t = layers.masks && (truth || view === "error") ? load("truth", data.truth, data.wide) : null;
        const p = layers.masks && (pred || view === "error") ? load("pred", data.pred, data.wide) : null;
        whole = !layers.masks || ((t !== null || !truth) && (p !== null || !pred));
        this.labels(plane, data, t, p, view);
        break;
      }
      case "anomaly": {
        const heat = layers.pred && layers.masks ? load("heat", data.heat) : null;
        const mask = layers.truth && layers.masks ? load("mask", data.mask) : null;
        whole = (heat !== null || !data.heat) && (mask !== null || !data.mask);
        this.anomaly(plane, data, heat, mask);
        break;
      }
      case "depth": {
        const shown = view === "main" ? null : view;
        const values = shown && layers.masks ? load(shown, data[shown]) : null;
        whole = values !== null || !shown;
        this.depth(plane, values, shown === "error");
        break;
      }
    }
    return { image: plane.image, whole };
  }

  private alpha(share = 1): number {
    return Math.round(255 * this.state.opacity.value * share);
  }

  private colour(one: number): Rgb {
    return this.colours[one] ?? [138, 143, 152];
  }

  private masks(plane: Plane, frame: Frame, judged: Judged, sample: number, spot: Spot | null) {
    const { data } = frame;
    if (data.kind !== "boxes") return;
    const { width, height } = this.state.sheet;
    const { across, down } = plane;
    const layers = this.state.layers.value;
    const draw = (boxes: Boxes, side: Spot["side"]) => {
      if (!boxes.runs || !layers[side]) return;
      for (let row = boxes.offsets[sample]!; row < boxes.offsets[sample + 1]!; row += 1) {
        if (side === "pred" && judged.boxes!.pred[row] === HIDDEN) continue;
        const colour = this.colour(boxes.labels[row]!);
        const mask = sampled(boxes.runs, row, width[sample]!, height[sample]!, across, down);
        const faint = spot !== null && (spot.side !== side || spot.row !== row);
        const alpha = this.alpha(faint ? 0.35 : 1);
        if (side === "pred") {
          for (let at = 0; at < mask.length; at += 1) if (mask[at]) plane.set(at, colour, alpha);
        }
        const inside = (at: number) => mask[at]!;
        plane.outline(inside, (value) => (value ? colour : null), side === "truth");
      }
    };
    draw(data.pred, "pred");
    draw(data.truth, "truth");
  }

  private labels(
    plane: Plane,
    data: LabelData,
    truth: Int32Array | null,
    pred: Int32Array | null,
    view: string,
  ): void {
    const nothing = data.wide ? 65535 : 255;
    const alpha = this.alpha();
    if (view === "error") {
      if (!truth || !pred) return;
      const { across } = plane;
      for (let at = 0; at < truth.length; at += 1) {
        if (truth[at] === nothing || truth[at] === pred[at]) continue;
        // Stripes tell errors from a red object.
        const stripe = ((at % across) + Math.floor(at / across)) % 4 < 2;
        plane.set(at, stripe ? [255, 45, 85] : [255, 235, 59], alpha);
      }
      return;
    }
    const filled = view === "truth" ? truth : view === "pred" ? pred : (pred ?? truth);
    if (filled) {
      for (let at = 0; at < filled.length; at += 1) {
        if (filled[at] !== nothing) plane.set(at, this.colour(filled[at]!), alpha);
      }
    }
    if (view === "main" && pred && truth) {
      const colour = (value: number) => (value === nothing ? null : this.colour(value));
      plane.outline((at) => truth[at]!, colour, true);
    }
  }

  private anomaly(
    plane: Plane,
    data: AnomalyData,
    heat: Int32Array | null,
    mask: Int32Array | null,
  ): void {
    heat?.forEach((value, at) => {
      // What is normal stays clear to see.
      plane.set(at, inferno[value]!, this.alpha(0.15 + (0.85 * value) / 255));
    });
    if (mask && data.mask) {
      const inside = (at: number) => (mask[at]! > 127 ? 1 : 0);
      plane.outline(inside, (value) => (value ? [80, 255, 170] : null), true);
    }
  }

  private depth(plane: Plane, values: Int32Array | null, error: boolean): void {
    const colours = error ? inferno : viridis;
    values?.forEach((value, at) => {
      if (value > 0) plane.set(at, colours[value]!, this.alpha());
    });
  }
}
