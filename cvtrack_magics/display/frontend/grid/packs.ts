// Packs of pictures, decoded when one of their pictures is first needed.

import { bytesOf } from "./columns";
import type { Pictures } from "./sheet";

/** A long document is still being read when the first tiles are drawn. */
const PATIENCE = 25;

const packs = new Map<number, Promise<Blob>>();

async function textOf(index: number): Promise<string> {
  for (;;) {
    const script = document.querySelector(`script[data-pack="${index}"]`);
    if (document.readyState !== "loading" || script?.nextElementSibling) {
      const text = script?.textContent?.trim() ?? "";
      // From now on it would only take up memory.
      if (script) script.textContent = "";
      return text;
    }
    await new Promise((done) => setTimeout(done, PATIENCE));
  }
}

function pack(index: number): Promise<Blob> {
  let blob = packs.get(index);
  if (!blob) {
    blob = textOf(index).then((text) => new Blob([bytesOf(text)]));
    packs.set(index, blob);
  }
  return blob;
}

export const isHere = (pictures: Pictures, sample: number): boolean => pictures.size[sample]! > 0;

/** One picture's bytes; a slice of a blob copies nothing. */
export async function blobOf(pictures: Pictures, sample: number): Promise<Blob> {
  const start = pictures.start[sample]!;
  return (await pack(pictures.pack[sample]!)).slice(start, start + pictures.size[sample]!);
}
