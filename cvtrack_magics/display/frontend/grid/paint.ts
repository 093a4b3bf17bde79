// One sample on a canvas: the picture, its layers, boxes and their labels.

import { HIDDEN, HIT, IGNORED, MISS, type Judged } from "./judged";
import { ink } from "./palette";
import { bonesOf, spotsOf } from "./points";
import { quadOf } from "./quads";
import type { Painter, Raster, Spot } from "./raster";
import type { Resources } from "./resources";
import type { Boxes, Frame } from "./sheet";
import type { View } from "./choices";
import type { State } from "./state";

/** From native pixels to those of the canvas. */
export interface Place {
  scale: number;
  x: number;
  y: number;
}

export interface Scene {
  state: State;
  resources: Resources;
  painter: Painter;
  frame: Frame;
  judged: Judged;
  sample: number;
  place: Place;
  ratio: number;
  detail: boolean;
  labels: boolean;
  spot?: Spot | null;
  view?: View;
  /** The layers at native size, made once while a picture is moved about. */
  kept?: Raster | null;
}

const FONT = "system-ui, sans-serif";

let scratch: CanvasRenderingContext2D | null = null;

function onCanvas(image: ImageData): HTMLCanvasElement {
  scratch ??= document.createElement("canvas").getContext("2d")!;
  const { canvas } = scratch;
  if (canvas.width !== image.width || canvas.height !== image.height) {
    canvas.width = image.width;
    canvas.height = image.height;
  }
  scratch.putImageData(image, 0, 0);
  return canvas;
}

export function nativeSize(state: State, sample: number): [number, number] {
  const { width, height, tileWidth, tileHeight } = state.sheet;
  return [
    width[sample] || tileWidth[sample] || 1,
    height[sample] || tileHeight[sample] || 1,
  ];
}

/** The best picture at hand; a tile is shown until the whole one is here. */
export function pictureOf(
  state: State,
  resources: Resources,
  sample: number,
  pixels: number,
): ImageBitmap | null {
  const { sheet } = state;
  const tile = resources.picture("tile", sheet.tile, sample);
  const wants = pixels > sheet.tileWidth[sample]! * 1.3;
  const full = wants || !sheet.tile.size[sample] ? resources.picture("full", sheet.full, sample) : null;
  return full ?? tile;
}

/** Draw a sample; says whether its picture was here. */
export function paint(context: CanvasRenderingContext2D, scene: Scene): boolean {
  const { state, resources, sample, place, detail } = scene;
  const [width, height] = nativeSize(state, sample);
  const [across, down] = [width * place.scale, height * place.scale];
  const layers = state.layers.value;
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  let here = !layers.image;
  if (layers.image) {
    const picture = pictureOf(state, resources, sample, across);
    if (picture) {
      here = true;
      context.imageSmoothingEnabled = across < picture.width * (detail ? 1 : 1.75);
      context.imageSmoothingQuality = "medium";
      context.drawImage(picture, place.x, place.y, across, down);
    }
  }
  const raster = scene.kept ?? rasterFor(scene);
  if (raster) {
    context.imageSmoothingEnabled = false;
    context.drawImage(onCanvas(raster.image), place.x, place.y, across, down);
  }
  if (scene.frame.data.kind === "boxes") boxes(context, scene);
  return here;
}

/** The layers at the size they are seen at, or at the native one to look closely. */
export function rasterFor(scene: Scene): Raster | null {
  const { state, painter, frame, judged, sample, place, detail, spot, view } = scene;
  const [width, height] = nativeSize(state, sample);
  const scale = detail ? Math.min(1, 2048 / Math.max(width, height)) : Math.min(1, place.scale);
  const across = Math.max(1, Math.round(width * scale));
  const down = Math.max(1, Math.round(height * scale));
  return painter.raster(frame, judged, sample, across, down, detail, spot ?? null, view);
}

function boxes(context: CanvasRenderingContext2D, scene: Scene): void {
  const { frame, judged, sample, place, ratio, state, spot } = scene;
  const { data } = frame;
  if (data.kind !== "boxes" || !judged.boxes) return;
  const layers = state.layers.value;
  const masked = data.pred.runs !== null && layers.masks;
  const tags: (() => void)[] = [];
  const draw = (all: Boxes, side: Spot["side"]) => {
    if (!layers[side]) return;
    for (let row = all.offsets[sample]!; row < all.offsets[sample + 1]!; row += 1) {
      const outcome = judged.boxes![side][row]!;
      if (side === "pred" && outcome === HIDDEN) continue;
      const on = spot?.side === side && spot.row === row;
      // Masks show where things are; boxes around them would only clutter.
      if (masked && !on && !scene.labels) continue;
      const [x, y, X, Y] = [0, 1, 2, 3].map((at) => {
        const value = all.xyxy[row * 4 + at]! * place.scale;
        return value + (at % 2 ? place.y : place.x);
      }) as [number, number, number, number];
      const colour = state.colour(all.labels[row]!);
      if (!masked || on) {
        context.globalAlpha = spot && !on ? 0.35 : 1;
        context.setLineDash(side === "truth" ? [5 * ratio, 3.5 * ratio] : []);
        const line = (on ? 3 : scene.detail ? 2 : 1.5) * ratio;
        context.lineWidth = line + 1.6 * ratio;
        context.strokeStyle = "rgb(0 0 0 / 45%)";
        const outline = () => {
          if (!data.corners) return context.strokeRect(x, y, X - x, Y - y);
          context.beginPath();
          for (const spot of quadOf(data.corners[side], row)) {
            context.lineTo(spot[0] * place.scale + place.x, spot[1] * place.scale + place.y);
          }
          context.closePath();
          context.stroke();
        };
        outline();
        context.lineWidth = line;
        context.strokeStyle = colour;
        outline();
        context.setLineDash([]);
        if (data.points) dots(context, scene, spotsOf(data.points, side, row), side, colour);
        context.globalAlpha = 1;
      }
      const found = side === "truth" && outcome === HIT && layers.pred;
      if (scene.labels && layers.text && (!found || on) && (!spot || on)) {
        const words = tagOf(state, all, side, row, outcome);
        const top = side === "pred" ? y : Y + 15 * ratio;
        tags.push(() => tag(context, words, x, top, colour, ratio, side === "truth"));
      }
    }
  };
  draw(data.truth, "truth");
  draw(data.pred, "pred");
  for (const write of tags) write();
}

/** Predicted points are full, those of the truth rings. */
function dots(
  context: CanvasRenderingContext2D,
  { place, ratio, detail }: Scene,
  spots: ([number, number] | null)[],
  side: Spot["side"],
  colour: string,
): void {
  const radius = (detail ? 4 : 2.5) * ratio * (side === "truth" ? 1.4 : 1);
  const at = ([x, y]: [number, number]) =>
    [x * place.scale + place.x, y * place.scale + place.y] as const;
  context.lineWidth = (side === "truth" ? 1 : 1.8) * ratio;
  context.strokeStyle = colour;
  for (const [from, to] of bonesOf(spots)) {
    context.beginPath();
    context.moveTo(...at(from));
    context.lineTo(...at(to));
    context.stroke();
  }
  for (const spot of spots) {
    if (!spot) continue;
    context.beginPath();
    context.arc(...at(spot), radius, 0, 7);
    context.lineWidth = 1.2 * ratio;
    context.strokeStyle = side === "truth" ? colour : "rgb(0 0 0 / 60%)";
    context.fillStyle = side === "truth" ? "rgb(0 0 0 / 35%)" : colour;
    context.fill();
    context.stroke();
  }
}

function tagOf(
  state: State,
  all: Boxes,
  side: Spot["side"],
  row: number,
  outcome: number,
): string {
  const score = side === "pred" && all.scores ? ` ${all.scores[row]!.toFixed(2)}` : "";
  const said = side === "truth" ? " missed" : " ✗";
  const name = [...state.className(all.labels[row]!)];
  const short = name.length > 24 ? `${name.slice(0, 23).join("")}…` : name.join("");
  const crowd = outcome === IGNORED ? (side === "truth" ? " crowd" : " ignored") : "";
  return `${short}${score}${outcome === MISS ? said : crowd}`;
}

/** A label above its box, or inside where there is no room. */
function tag(
  context: CanvasRenderingContext2D,
  words: string,
  x: number,
  y: number,
  colour: string,
  ratio: number,
  hollow: boolean,
): void {
  context.font = `600 ${11 * ratio}px ${FONT}`;
  const [pad, high] = [3 * ratio, 15 * ratio];
  const wide = context.measureText(words).width + 2 * pad;
  const { width, height } = context.canvas;
  const left = Math.max(0, Math.min(x - ratio, width - wide));
  const top = Math.max(0, Math.min(y - high, height - high));
  context.fillStyle = hollow ? "rgb(0 0 0 / 72%)" : colour;
  context.fillRect(left, top, wide, high);
  if (hollow) {
    context.fillStyle = colour;
    context.fillRect(left, top, 2 * ratio, high);
  }
  context.fillStyle = hollow ? "#fff" : ink(colour);
  context.textBaseline = "middle";
  context.fillText(words, left + pad, top + high / 2 + 0.5 * ratio);
}
