// Decoded pictures: made off the main thread, the most recent ones kept.

import { blobOf, isHere } from "./packs";
import type { Pictures } from "./sheet";

export interface Values {
  width: number;
  height: number;
  /** One byte for each pixel, or two where `wide`. */
  data: Uint8Array | Uint16Array;
}

type Thing = ImageBitmap | Values;

interface Job {
  key: string;
  sample: number;
  make: () => Promise<Thing>;
}

const LIMIT = 192 * 1024 * 1024;
const AT_ONCE = 6;

const bytesOfThing = (thing: Thing): number =>
  thing instanceof ImageBitmap ? thing.width * thing.height * 4 : thing.data.byteLength;

export class Resources {
  private readonly things = new Map<string, Thing>();
  private readonly failed = new Set<string>();
  private readonly waiting = new Map<string, Job>();
  private readonly running = new Set<string>();
  private bytes = 0;

  /**
   * @param wanted whether a sample's pictures are still looked at
   * @param ready a picture of this sample is here now
   */
  constructor(
    private readonly wanted: (sample: number) => boolean,
    private readonly ready: (sample: number) => void,
  ) {}

  /** A picture, or null and it is on its way. */
  picture(name: string, pictures: Pictures, sample: number): ImageBitmap | null {
    if (!isHere(pictures, sample)) return null;
    return this.get(`${name}:${sample}`, sample, async () =>
      createImageBitmap(await blobOf(pictures, sample)),
    ) as ImageBitmap | null;
  }

  /** The exact values of a grey or label picture, at most `most` pixels a side. */
  values(
    name: string,
    pictures: Pictures,
    sample: number,
    wide: boolean,
    most: number,
  ): Values | null {
    if (!isHere(pictures, sample)) return null;
    return this.get(`${name}:${most}:${sample}`, sample, async () =>
      valuesOf(await blobOf(pictures, sample), wide, most),
    ) as Values | null;
  }

  /** Whether something that was asked for can not be shown. */
  isBroken(name: string, sample: number): boolean {
    return this.failed.has(`${name}:${sample}`);
  }

  private get(key: string, sample: number, make: () => Promise<Thing>): Thing | null {
    const thing = this.things.get(key);
    if (thing) {
      // A map keeps its order: what is used moves to its end.
      this.things.delete(key);
      this.things.set(key, thing);
      return thing;
    }
    if (!this.running.has(key) && !this.failed.has(key)) {
      this.waiting.delete(key);
      this.waiting.set(key, { key, sample, make });
      this.pump();
    }
    return null;
  }

  private pump(): void {
    while (this.running.size < AT_ONCE && this.waiting.size) {
      const job = [...this.waiting.values()].pop()!;
      this.waiting.delete(job.key);
      if (!this.wanted(job.sample)) continue;
      this.running.add(job.key);
      void this.run(job);
    }
  }

  private async run({ key, sample, make }: Job): Promise<void> {
    try {
      const thing = await make();
      this.things.set(key, thing);
      this.bytes += bytesOfThing(thing);
      this.shrink(key);
    } catch {
      this.failed.add(key);
    }
    this.running.delete(key);
    this.ready(sample);
    this.pump();
  }

  private shrink(newest: string): void {
    for (const [key, thing] of this.things) {
      if (this.bytes <= LIMIT || key === newest) return;
      this.things.delete(key);
      this.bytes -= bytesOfThing(thing);
      if (thing instanceof ImageBitmap) thing.close();
    }
  }
}

let scratch: CanvasRenderingContext2D | null = null;

async function valuesOf(blob: Blob, wide: boolean, most: number): Promise<Values> {
  const bitmap = await createImageBitmap(blob, {
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
  });
  scratch ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true })!;
  const { canvas } = scratch;
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  scratch.drawImage(bitmap, 0, 0);
  const { data, width, height } = scratch.getImageData(0, 0, bitmap.width, bitmap.height);
  bitmap.close();
  // Sampled here, not by the browser: a mean of two classes is a third one.
  const shrink = Math.min(1, most / Math.max(width, height));
  const across = Math.max(1, Math.round(width * shrink));
  const down = Math.max(1, Math.round(height * shrink));
  const values = wide ? new Uint16Array(across * down) : new Uint8Array(across * down);
  for (let y = 0; y < down; y += 1) {
    const line = Math.floor(((y + 0.5) * height) / down) * width;
    for (let x = 0; x < across; x += 1) {
      const at = (line + Math.floor(((x + 0.5) * width) / across)) * 4;
      values[y * across + x] = wide ? data[at]! + 256 * data[at + 1]! : data[at]!;
    }
  }
  return { width: across, height: down, data: values };
}
