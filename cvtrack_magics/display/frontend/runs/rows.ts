// The rows of a table of runs: in which order they stand, and which are seen.

export type Direction = "first" | "again" | "none";
export type Key = number | string | null;

export interface Row {
  readonly node: HTMLTableRowElement;
  /** What a filter looks at, in lower case: all that the row says, whole. */
  readonly words: string;
  readonly keys: readonly Key[];
}

export function readRows(table: HTMLTableElement): Row[] {
  const rows = table.tBodies[0]?.rows ?? [];
  return [...rows].map((node) => {
    const cells = [...node.cells];
    const titles = [...node.querySelectorAll<HTMLElement>("[title]")].map((one) => one.title);
    const words = [...cells.map((cell) => cell.textContent ?? ""), ...titles].join(" ");
    return { node, words: words.toLowerCase(), keys: cells.map(keyOf) };
  });
}

/** What a cell is sorted by: the number that it holds, otherwise its text; null of an empty one. */
function keyOf(cell: HTMLTableCellElement): Key {
  const text = cell.dataset["v"] ?? cell.title ?? "";
  const shown = (text || cell.textContent || "").trim();
  if (!shown) return null;
  const value = Number(shown);
  return Number.isNaN(value) ? (shown === "NaN" ? null : shown) : value;
}

/** Numbers before words, what is missing last in both directions. */
export function sorted(rows: readonly Row[], column: number, falling: boolean): Row[] {
  const sign = falling ? -1 : 1;
  const compare = (a: Key, b: Key): number => {
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  };
  const key = (row: Row): Key => row.keys[column] ?? null;
  return [...rows].sort((a, b) => compare(key(a), key(b)));
}

/** Whether a row has each of the words. */
export function fits(row: Row, asked: string): boolean {
  return asked
    .toLowerCase()
    .split(/\s+/)
    .every((word) => row.words.includes(word));
}
