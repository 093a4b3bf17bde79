// One picture to look closely at: drawn at a zoom, with its layers kept while it moves.

import { element } from "../shared/dom";
import { HIDDEN, type Judged } from "./judged";
import { nativeSize, paint, rasterFor, type Scene } from "./paint";
import type { Painter, Raster, Spot } from "./raster";
import type { Resources } from "./resources";
import type { Frame } from "./sheet";
import type { View } from "./choices";
import type { State } from "./state";
import type { Zoom } from "./zoom";

export interface Shot {
  label: string;
  frame: Frame;
  judged: Judged;
  view: View;
}

export class Pane {
  readonly canvas = element("canvas", "look");
  private readonly context = this.canvas.getContext("2d")!;
  private kept: Raster | null = null;
  private key = "";

  constructor(
    private readonly state: State,
    private readonly resources: Resources,
    private readonly painter: Painter,
  ) {}

  /** A picture arrived: the layers have to be made again. */
  stale(): void {
    this.key = "";
  }

  draw(shot: Shot, sample: number, zoom: Zoom, spot: Spot | null): void {
    const { canvas, state } = this;
    const ratio = devicePixelRatio || 1;
    const [wide, tall] = [canvas.clientWidth, canvas.clientHeight].map((one) => Math.round(one * ratio)) as [number, number];
    if (canvas.width !== wide || canvas.height !== tall) {
      canvas.width = wide;
      canvas.height = tall;
    }
    canvas.dataset["scale"] = String(zoom.scale);
    const place = {
      scale: zoom.scale,
      x: Math.round(wide / 2 - zoom.x * zoom.scale),
      y: Math.round(tall / 2 - zoom.y * zoom.scale),
    };
    const scene: Scene = {
      state,
      resources: this.resources,
      painter: this.painter,
      frame: shot.frame,
      judged: shot.judged,
      sample,
      place,
      ratio,
      detail: true,
      labels: true,
      spot,
      view: shot.view,
    };
    const key = JSON.stringify([
      ...[sample, shot.frame.index, shot.view, spot, state.layers.value],
      ...[state.opacity.value, state.threshold.value],
    ]);
    if (key !== this.key) {
      this.kept = rasterFor(scene);
      this.key = this.kept && !this.kept.whole ? "" : key;
    }
    paint(this.context, { ...scene, kept: this.kept });
  }

  /** The smallest box at a place of the picture. */
  spotAt(shot: Shot, sample: number, x: number, y: number): Spot | null {
    const { data } = shot.frame;
    if (data.kind !== "boxes" || !shot.judged.boxes) return null;
    let best: Spot | null = null;
    let least = Infinity;
    for (const side of ["truth", "pred"] as const) {
      if (!this.state.layers.value[side]) continue;
      const { offsets, xyxy } = data[side];
      for (let row = offsets[sample]!; row < offsets[sample + 1]!; row += 1) {
        if (side === "pred" && shot.judged.boxes.pred[row] === HIDDEN) continue;
        const [l, t, r, b] = xyxy.subarray(row * 4, row * 4 + 4) as unknown as number[];
        const area = (r! - l!) * (b! - t!);
        const inside = x >= l! && x <= r! && y >= t! && y <= b!;
        if (inside && area <= least) [best, least] = [{ side, row }, area];
      }
    }
    return best;
  }

  size(sample: number): [number, number] {
    return nativeSize(this.state, sample);
  }
}
