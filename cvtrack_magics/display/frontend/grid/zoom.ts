// Looking closely: how many pixels of the screen one pixel of the picture gets.

export interface Zoom {
  scale: number;
  /** The place of the picture that lies in the middle. */
  x: number;
  y: number;
}

const LEVELS = [1 / 16, 1 / 12, 1 / 8, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];

/** The next level up or down. */
export function step(scale: number, up: boolean): number {
  const next = up
    ? LEVELS.find((level) => level > scale * 1.001)
    : [...LEVELS].reverse().find((level) => level < scale / 1.001);
  return next ?? scale;
}

/** As large as fits: whole pixels where the picture is smaller than the room. */
export function fit(width: number, height: number, wide: number, tall: number): Zoom {
  const scale = Math.min(wide / width, tall / height);
  const whole = scale >= 1 ? Math.floor(scale) : scale;
  return { scale: whole || 1, x: width / 2, y: height / 2 };
}

/** Another scale, with the picture fixed under the pointer (given from the middle). */
export function zoomed(zoom: Zoom, scale: number, dx: number, dy: number): Zoom {
  const part = 1 / zoom.scale - 1 / scale;
  return { scale, x: zoom.x + dx * part, y: zoom.y + dy * part };
}

export function said(scale: number, ratio: number): string {
  const seen = scale / ratio;
  return `${Math.round(seen * 100)}%`;
}
