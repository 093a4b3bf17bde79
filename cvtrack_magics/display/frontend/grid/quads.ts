// Boxes that are turned: four corners each, all in one winding.

import type { Numbers } from "./columns";

export type Place = [number, number];

export function quadOf(corners: Numbers, row: number): Place[] {
  return [0, 2, 4, 6].map((at) => [corners[row * 8 + at]!, corners[row * 8 + at + 1]!]);
}

export function areaOfQuad(places: Place[]): number {
  let sum = 0;
  places.forEach(([x, y], at) => {
    const [X, Y] = places[(at + 1) % places.length]!;
    sum += x * Y - X * y;
  });
  return Math.abs(sum) / 2;
}

/** The area in both, by cutting one along the edges of the other (Sutherland and Hodgman). */
export function sharedByQuads(one: Place[], other: Place[]): number {
  let left = one;
  other.forEach((start, at) => {
    const end = other[(at + 1) % 4]!;
    const side = ([x, y]: Place) =>
      (end[0] - start[0]) * (y - start[1]) - (end[1] - start[1]) * (x - start[0]);
    const kept: Place[] = [];
    left.forEach((here, place) => {
      const ahead = left[(place + 1) % left.length]!;
      const [a, b] = [side(here), side(ahead)];
      if (a >= 0) kept.push(here);
      if (a >= 0 !== b >= 0) {
        const part = a / (a - b);
        kept.push([here[0] + part * (ahead[0] - here[0]), here[1] + part * (ahead[1] - here[1])]);
      }
    });
    left = kept;
  });
  return left.length ? areaOfQuad(left) : 0;
}
