// Numbers as a person would write them.

export function number4(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+∞" : "−∞";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) {
    const [mantissa, exponent] = value.toExponential(3).split("e") as [string, string];
    return `${Number(mantissa)}e${Number(exponent)}`;
  }
  if (Number.isInteger(value)) return String(value);
  return String(size >= 1e4 ? Math.round(value) : Number(value.toPrecision(4)));
}

export function tick(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9 || (size !== 0 && size < 1e-3)) return value.toExponential().replace("e+", "e");
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(6))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(6))}k`;
  return String(Number(value.toPrecision(6)));
}

export function seconds(value: number): string {
  const size = Math.abs(value);
  if (size < 120) return `${Number(value.toPrecision(3))}s`;
  if (size < 7200) return `${Number((value / 60).toPrecision(3))}m`;
  return `${Number((value / 3600).toPrecision(3))}h`;
}
