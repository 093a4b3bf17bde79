// What the machine does: the newest figures in one line, and curves to fold out.

import { element } from "../shared/dom";
import { number4 } from "../shared/format";
import { Panel, type Shared } from "./panel";
import type { Tracks } from "./store";

const PARTS: [string, RegExp, (value: number) => string][] = [
  ["processor and GPU, %", /_percent$/, (value) => `${Math.round(value)} %`],
  ["memory, MB", /_mb$/, (value) => bytes(value)],
];

function bytes(megabytes: number): string {
  if (megabytes < 1000) return `${Math.round(megabytes)} MB`;
  return `${Number((megabytes / 1000).toPrecision(megabytes < 1e5 ? 2 : 3))} GB`;
}

/** "CPU 143 % · 1.2 GB · GPU 0 97 % · 3.4 GB": the newest figure of each series. */
export function figuresOf(tracks: Tracks): string {
  const words: string[] = [];
  for (const [name, track] of tracks) {
    const value = track.last();
    if (value === undefined || !Number.isFinite(value)) continue;
    const part = PARTS.find(([, pattern]) => pattern.test(name));
    const figure = part ? part[2](value) : number4(value);
    const gpu = /^gpu(\d*)_/.exec(name);
    const said = words.some((word) => word.startsWith(`GPU ${gpu?.[1]} `));
    if (name === "cpu_percent") words.push(`CPU ${figure}`);
    else if (name === "memory_mb") words.push(figure);
    else if (gpu && part) words.push(said ? figure : `GPU ${gpu[1]} ${figure}`);
    else words.push(`${name} ${figure}`);
  }
  return words.join(" · ");
}

export class Resources {
  readonly root = element("details", "cv-resources");
  private readonly figures = element("span", "cv-figures");
  readonly grid = element("div", "cv-grid");
  private readonly panels = new Map<string, Panel>();

  constructor(private readonly shared: Shared) {
    const summary = element("summary", "cv-summary");
    summary.append(element("span", "cv-summary-name", "Resources"), this.figures);
    this.root.append(summary, this.grid);
    this.root.open = shared.settings.resources;
    this.root.addEventListener("toggle", () => {
      shared.settings.resources = this.root.open;
      this.update();
    });
  }

  update(): void {
    const { usage } = this.shared.store;
    this.root.hidden = usage.size === 0;
    this.figures.textContent = figuresOf(usage);
    if (!this.root.open || this.root.hidden) return;
    const groups = new Map<string, string[]>();
    for (const name of usage.keys()) {
      const group = PARTS.find(([, pattern]) => pattern.test(name))?.[0] ?? name;
      groups.set(group, [...(groups.get(group) ?? []), name]);
    }
    for (const [group, members] of groups) {
      let panel = this.panels.get(group);
      if (!panel) {
        panel = new Panel(group, this.shared, usage);
        this.panels.set(group, panel);
        this.grid.append(panel.root);
      }
      panel.setMembers(members);
    }
    this.each((panel) => panel.update());
  }

  each(act: (panel: Panel) => void): void {
    for (const panel of this.panels.values()) act(panel);
  }
}
