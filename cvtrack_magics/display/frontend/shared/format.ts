// Numbers as a person would write them.

/** A double that lies halfway between two short numbers has no more digits than these. */
const ALL = 60;

/** The digits that are kept of all, where the rest is a half and the last one kept is even. */
function even(all: string, kept: number, otherwise: string): string {
  const isHalf = /^\.?5\.?0*(e|$)/.test(all.slice(kept)) && Number(all[kept - 1]) % 2 === 0;
  return isHalf ? all.slice(0, kept) + all.replace(/[^e]*/, "") : otherwise;
}

/** `toExponential`, but halves go to the even digit, as Python has it, and not up. */
function exponential(value: number, digits: number): string {
  const kept = digits + Number(digits > 1) + Number(value < 0);
  return even(value.toExponential(ALL), kept, value.toExponential(digits - 1));
}

/** `toFixed`, with halves as `exponential` has them. */
function fixed(value: number, decimals: number): string {
  const all = value.toFixed(ALL);
  return even(all, all.indexOf(".") + (decimals && decimals + 1), value.toFixed(decimals));
}

/** A number with a power without what says nothing: `1.500e+7` is `1.5e7`. */
const bare = (text: string) => text.replace(/\.?0*e\+?/, "e");

export function number4(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+∞" : "−∞";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) {
    return bare(exponential(value, digits));
  }
  if (Number.isInteger(value)) return String(value);
  const least = String(Math.trunc(size)).length; // no digit before the point becomes a zero
  return String(Number(exponential(value, Math.max(digits, least))));
}

/** Shares of more unequal size are not written with the same number of decimals. */
const APART = 100;

/** A column of figures, their points below each other. `numbers` of `display/text.py` does the same. */
export function aligned(values: readonly number[], digits: number): string[] {
  const shown = values.map((value) => (Number.isFinite(value) ? number4(value, digits) : "–"));
  const plain = shown.filter((_, at) => Number.isFinite(values[at]));
  const sizes = values.filter((value) => Number.isFinite(value) && value !== 0).map(Math.abs);
  const most = Math.max(...sizes);
  if (!sizes.length || most > APART * Math.min(...sizes) || plain.some((text) => text.includes("e"))) {
    return shown;
  }
  const decimals = Math.max(...plain.map((text) => text.split(".")[1]?.length ?? 0));
  return values.map((value, at) => (Number.isFinite(value) ? fixed(value, decimals) : shown[at]!));
}

/** Characters of a tick's label that leave room beside a small plot. */
const LONG = 7;

/** The values at the ticks of one axis, all written in one way. `display/text.py` does the same. */
export function ticks(values: readonly number[], log = false): string[] {
  const sizes = values.filter((value) => value !== 0).map(Math.abs);
  const most = Math.max(...sizes, -Infinity);
  const least = Math.min(...sizes, Infinity);
  const powers = most < 1e-3 || most >= 1e9 || (log && (least < 1e-3 || most >= 1e5));
  const [unit, sign] = log || most < 1e4 ? [1, ""] : most < 1e6 ? [1e3, "k"] : [1e6, "M"];
  const write = (value: number, digits: number, powers: boolean) => {
    if (value === 0) return "0";
    if (powers) return bare(value.toExponential(digits - 1));
    const scaled = value / unit;
    const text = Math.abs(scaled) < 1 ? scaled.toFixed(digits) : scaled.toPrecision(digits);
    // What has an exponent is too precise for its size, or a whole number longer than `digits`.
    const plain = text.includes("e") ? String(Number(text)) : text;
    return (plain.includes(".") ? plain.replace(/\.?0+$/, "") : plain) + sign;
  };
  const distinct = new Set(values).size;
  const toldApart = (powers: boolean) => {
    let shown: string[] = [];
    for (const digits of [6, 10, 15]) {
      shown = values.map((value) => write(value, digits, powers));
      if (new Set(shown).size === distinct) break;
    }
    return shown;
  };
  const shown = toldApart(powers);
  const long = !powers && !log && most < 1e-2 && shown.some((word) => word.length > LONG);
  return long ? toldApart(true) : shown;
}

export function seconds(value: number): string {
  const size = Math.abs(value);
  if (size < 120) return `${Number(value.toPrecision(3))}s`;
  if (size < 7200) return `${Number((value / 60).toPrecision(3))}m`;
  return `${Number((value / 3600).toPrecision(3))}h`;
}

/** A text that is too long loses its middle: its end often tells it apart. */
export function shorten(text: string, width: number): string {
  const signs = [...text];
  if (signs.length <= width) return text;
  const tail = Math.floor((width - 1) / 3);
  return `${signs.slice(0, width - 1 - tail).join("")}…${signs.slice(signs.length - tail).join("")}`;
}
