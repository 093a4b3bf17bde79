// Colours: of classes, and of values from low to high.

export type Rgb = readonly [number, number, number];

// Seventeen colours of each map; what lies between them is mixed.
const INFERNO =
  "0000040b0724210c4a3d096557106e71196e8a226aa32c61bc3754d24644e45a31f1731df98e09fcac11f9cb35" +
  "f2ea69fcffa4";
const VIRIDIS =
  "44015448186a472d7b4240863b528b33638d2c728e26828e21918c1fa08828ae803fbc735ec96284d44baddc30" +
  "d8e219fde725";

export function rgbOf(colour: string): Rgb {
  const hex = /^#?([0-9a-f]{6})/i.exec(colour)?.[1] ?? "888888";
  const value = parseInt(hex, 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

function table(anchors: string): Rgb[] {
  const colours = anchors.match(/.{6}/g)!.map(rgbOf);
  return Array.from({ length: 256 }, (_, value) => {
    const place = (value / 255) * (colours.length - 1);
    const low = Math.min(Math.floor(place), colours.length - 2);
    const part = place - low;
    return [0, 1, 2].map((at) =>
      Math.round(colours[low]![at]! * (1 - part) + colours[low + 1]![at]! * part),
    ) as unknown as Rgb;
  });
}

export const inferno = table(INFERNO);
export const viridis = table(VIRIDIS);

const css = ([r, g, b]: Rgb): string => `rgb(${r} ${g} ${b})`;

export function gradient(colours: readonly Rgb[]): string {
  const stops = [0, 32, 64, 96, 128, 160, 192, 224, 255].map((at) => css(colours[at]!));
  return `linear-gradient(90deg, ${stops.join(", ")})`;
}

/** Black or white, whichever can be read on a colour. */
export function ink(colour: string): string {
  const [r, g, b] = rgbOf(colour).map((one) => {
    const part = one / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#000" : "#fff";
}
