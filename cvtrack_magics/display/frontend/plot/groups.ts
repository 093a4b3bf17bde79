// Which metrics share a panel, and what each looks like. `display/groups.py` says the same.

import COLOURS from "../../../palette.json";
import NAMES from "../../metric_names.json";
import WORDS from "../../metric_words.json";

const { curves: PALETTE, overlays: OVERLAYS } = COLOURS;

export const MAX_PANELS = 12;

const SPLIT = /^(train(?:ing)?|val(?:id(?:ation)?)?|eval|test)[/_](?=.)/i;

type Role = "train" | "val" | "test" | "";

const WANTED: Record<Role, number> = { train: 0, "": 0, val: 1, test: 2 };
const ORDER: Record<Role, number> = { train: 0, "": 1, val: 2, test: 3 };
export const DASH: Record<Role, number[]> = { train: [], "": [], val: [6, 4], test: [2, 3] };

const WORD = /[^a-zA-Z0-9]+/;
const FREE = /(?:error|loss)s?[^a-z0-9]*free/;
const KINDS = new Map(
  Object.entries(WORDS).flatMap(([kind, words]) => words.split(" ").map((word) => [word, kind])),
);
const WHOLE = new Map(
  Object.entries(NAMES).flatMap(([kind, sources]) =>
    Object.values(sources).flatMap((names) => names.split(" ").map((name) => [plain(name), kind])),
  ),
);

function plain(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "");
}

export interface Style {
  name: string;
  color: string;
  dash: number[];
}

export function groupOf(name: string): string {
  return name.replace(SPLIT, "");
}

export function roleOf(name: string): Role {
  const split = SPLIT.exec(name)?.[1]?.toLowerCase() ?? "";
  if (split.startsWith("train")) return "train";
  if (split === "test") return "test";
  return split ? "val" : "";
}

/** Panels in order of first appearance, the machine's own metrics last. */
export function panelsOf(names: Iterable<string>): Map<string, string[]> {
  const panels = new Map<string, string[]>();
  const ordered = [...names].map((name) => [groupOf(name), name] as const);
  for (const system of [false, true]) {
    for (const [group, name] of ordered) {
      if (group.startsWith("system/") !== system) continue;
      panels.set(group, [...(panels.get(group) ?? []), name]);
    }
  }
  return panels;
}

/** Give every member of one panel a colour of its own; train, val and test keep theirs. */
export function stylesOf(members: string[]): Style[] {
  const rank = (name: string) => ORDER[roleOf(name)];
  const sorted = [...members].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  const taken = new Set<number>();
  return sorted.map((name, at) => {
    const role = roleOf(name);
    let slot = WANTED[role];
    if (taken.has(slot)) {
      const spare = PALETTE.findIndex((_, i) => i > 2 && !taken.has(i));
      slot = spare < 0 ? at % PALETTE.length : spare;
    }
    taken.add(slot);
    return { name, color: PALETTE[slot] as string, dash: DASH[role] };
  });
}

/** Colour of another run's curves, by its place among them. */
export function overlayColor(at: number): string {
  return PALETTE[OVERLAYS[at % OVERLAYS.length] as number] as string;
}

/** Whether less or more of a metric is better, as far as its name tells; see groups.py. */
export function directionOf(name: string): "min" | "max" | "" {
  const group = name.replace(SPLIT, "");
  const bare = group.split(/(?<=.)(?:_at_|@)/)[0] as string;
  const around = bare.split("/").slice(0, -1).find(isMeasure) ?? "";
  const last = around ? [] : [bare.split("/").pop() as string];
  const ways = [group, bare, around, ...last].map((whole) => WHOLE.get(plain(whole)));
  const way = ways.find((one) => one !== undefined);
  const turned = /^(?:neg(?:ative)?_|1 ?- ?)(?!loss$)/i.exec(bare)?.[0];
  if (turned && !way) {
    const inner = directionOf(bare.slice(turned.length));
    return inner === "min" ? "max" : inner && bare[0] === "1" ? "min" : "";
  }
  if (way === undefined) return directionIn(around || bare);
  return way === "lower" ? "min" : "max";
}

/** Whether a part of a name is a measure's and nothing else: what follows it is a class. */
function isMeasure(part: string): boolean {
  const words = part.replace(/^(?:per_class|mask|box|bbox|segm|keypoint)_/i, "").split(WORD).filter(Boolean);
  const measures = (kind: string) => ["loss", "lower", "higher"].includes(kind);
  return words.length > 0 && words.every((word) => known(word).length > 0 && known(word).every(measures));
}

function directionIn(bare: string): "min" | "max" | "" {
  const kinds = bare.split(WORD).flatMap(known);
  const last = kinds[kinds.length - 1];
  if (last === undefined || last === "setting" || last === "no value if last") return "";
  if (kinds.includes("no value")) return "";
  if (kinds.includes("loss")) {
    return last === "factor" || FREE.test(bare.toLowerCase()) ? "" : "min";
  }
  let told: string[] = kinds.filter((kind) => kind === "lower" || kind === "higher");
  if (!told.length) told = kinds.filter((kind) => kind.endsWith("alone"));
  const way = told[told.length - 1]?.split(" ")[0];
  if (way === undefined || (last === "factor" && way === "lower")) return "";
  return way === "lower" ? "min" : "max";
}

/** What the words say that are known in a part of a name, which may be joined by capitals. */
function known(word: string): string[] {
  const cut = word.replace(/(?<=[a-z0-9])(?=[A-Z])/g, " ").toLowerCase();
  for (const parts of [[word.toLowerCase()], cut.split(" ")]) {
    const kinds = parts.map((part) => KINDS.get(part) ?? KINDS.get(part.replace(/[0-9]+$/, "")));
    const found = kinds.filter((kind): kind is string => kind !== undefined);
    if (found.length) return found;
  }
  return [];
}
