// Which metrics share a panel, and what each looks like. `widgets/groups.py` says the same.

export const PALETTE = [
  "#1f83c9",
  "#d55e00",
  "#0a9a6f",
  "#b56aa5",
  "#a07a00",
  "#8c6bd1",
  "#77808a",
] as const;

export const MAX_PANELS = 12;

const SPLIT = /^(train(?:ing)?|val(?:id(?:ation)?)?|eval|test)[/_](?=.)/i;

type Role = "train" | "val" | "test" | "";

const WANTED: Record<Role, number> = { train: 0, "": 0, val: 1, test: 2 };
const ORDER: Record<Role, number> = { train: 0, "": 1, val: 2, test: 3 };
export const DASH: Record<Role, number[]> = { train: [], "": [], val: [6, 4], test: [2, 3] };

const OVERLAYS = [5, 3, 4, 6] as const;

const WORD = /[^a-z0-9]+/;
const LOWER = new Set(
  (
    "loss losses error err errors mse rmse mae mape smape rmsle nll bce perplexity ppl fid kid " +
    "lpips wer cer eer ece brier hausdorff hd hd95 assd fpr fnr divergence kl distance " +
    "absrel latency"
  ).split(" "),
);
const HIGHER = new Set(
  (
    "acc accuracy f1 fbeta dice iou miou giou jaccard map ap ar auc auroc roc auprc precision " +
    "recall sensitivity specificity psnr ssim r2 kappa mcc bleu rouge tpr tnr pq mota idf1 hota " +
    "pck oks top score similarity delta fps throughput"
  ).split(" "),
);
const NEITHER = new Set("scale weight weights coef coefficient threshold lr size".split(" "));

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

/** Whether less or more of a metric is better, as far as its name tells. */
export function directionOf(name: string): "min" | "max" | "" {
  const bare = name.replace(SPLIT, "").split(/(?<=.)_at_/)[0] as string;
  const parts = bare.replace(/(?<=[a-z0-9])(?=[A-Z])/g, " ").toLowerCase().split(WORD);
  const words = [...bare.toLowerCase().split(WORD), ...parts];
  const all = [...words, ...words.map((word) => word.replace(/[0-9]+$/, ""))];
  if (all.some((word) => NEITHER.has(word))) return "";
  if (all.some((word) => LOWER.has(word))) return "min";
  return all.some((word) => HIGHER.has(word)) ? "max" : "";
}
