// A table of runs that is sorted by its heads, filtered by words, and that says which line
// compares the runs that are ticked.

import { button, element } from "../shared/dom";
import { type Direction, fits, readRows, type Row, sorted } from "./rows";

/** Rows from which on there is something to filter. */
const MANY = 6;

export class RunsView {
  private readonly rows: Row[];
  private readonly body: HTMLTableSectionElement;
  private readonly heads: HTMLTableCellElement[];
  private readonly ticked = new Map<Row, HTMLInputElement>();
  private readonly left = element("span", "cvr-left", "", { "aria-live": "polite" });
  private readonly line = element("div", "cvr-line", "", { "aria-live": "polite" });
  private column = -1;
  private direction: Direction = "none";

  constructor(
    private readonly home: HTMLElement,
    private readonly table: HTMLTableElement,
  ) {
    this.rows = readRows(table);
    this.body = table.tBodies[0]!;
    this.heads = [...(table.tHead?.rows[0]?.cells ?? [])];
    this.heads.forEach((head, at) => this.makeSortable(head, at));
    for (const row of this.rows) this.makeTickable(row);
    if (this.rows.length >= MANY) this.addFilter();
    if (this.ticked.size) home.append(this.line);
    home.dataset["lmSuppressShortcuts"] = "true";
  }

  private makeSortable(head: HTMLTableCellElement, at: number): void {
    const name = head.title || (head.textContent ?? "");
    const sort = button("cvr-sort", head.textContent ?? "", `Sort by ${name}`, () => this.sort(at));
    head.replaceChildren(sort);
    head.setAttribute("aria-sort", "none");
  }

  /** One click sorts, best first where that is known; the next turns it round; the third ends it. */
  private sort(at: number): void {
    const next = { none: "first", first: "again", again: "none" } as const;
    this.direction = at === this.column ? next[this.direction] : "first";
    this.column = at;
    const best = this.heads[at]?.dataset["best"];
    const falling = (best === "max") === (this.direction === "first");
    const order = this.direction === "none" ? this.rows : sorted(this.rows, at, falling);
    this.body.replaceChildren(...order.map((row) => row.node));
    this.home.toggleAttribute("data-sorted", this.direction !== "none");
    this.heads.forEach((head, one) => {
      const here = one === at && this.direction !== "none";
      head.setAttribute("aria-sort", here ? (falling ? "descending" : "ascending") : "none");
    });
  }

  private makeTickable(row: Row): void {
    const name = row.node.dataset["run"];
    if (!name) return;
    const said = { type: "checkbox", "aria-label": `Select ${name}` };
    const box = element("input", "cvr-tick", "", said);
    box.addEventListener("change", () => this.say());
    row.node.cells[0]?.prepend(box);
    this.ticked.set(row, box);
  }

  private addFilter(): void {
    const said = { type: "search", placeholder: "Filter rows", "aria-label": "Filter rows" };
    const asked = element("input", "cvr-filter", "", said);
    asked.addEventListener("input", () => this.filter(asked.value));
    const bar = element("div", "cvr-bar");
    bar.append(asked, this.left);
    (this.table.parentElement ?? this.table).before(bar);
  }

  private filter(asked: string): void {
    let seen = 0;
    for (const row of this.rows) {
      row.node.hidden = !fits(row, asked);
      seen += Number(!row.node.hidden);
    }
    this.left.textContent = asked.trim() ? `${seen} of ${this.rows.length}` : "";
    this.say();
  }

  /** Say what to type of the runs that are ticked and seen. */
  private say(): void {
    const names = this.rows
      .filter((row) => !row.node.hidden && this.ticked.get(row)?.checked)
      .map((row) => row.node.dataset["run"]!);
    const text = `${names.length > 1 ? "%mlcompare" : "%mlshow"} ${names.join(" ")}`;
    const copy = button("cvr-copy", "Copy", "Copy this line", () => void this.copy(text, copy));
    const others = names.length ? this.others(names) : [];
    this.line.replaceChildren(...(names.length ? [element("code", "", text), copy, ...others] : []));
  }

  /** Buttons that copy what else can be typed of some runs: it is asked before one is deleted. */
  private others(names: string[]): HTMLButtonElement[] {
    const [first, second] = names;
    const grid = `%mlgrid --run ${first}${second ? ` --compare ${second}` : ""}`;
    const made: HTMLButtonElement[] = [];
    const add = (shown: string, said: string, line: string): void => {
      const one = button("cvr-copy", shown, said, () => {
        this.line.querySelector("code")!.textContent = line;
        void this.copy(line, one);
      });
      one.title = line;
      made.push(one);
    };
    if (names.length <= 2) add("Grid", "Copy the line that shows predictions", grid);
    add("Delete", "Copy the line that deletes them", `%mlruns --delete ${names.join(",")}`);
    return made;
  }

  private async copy(text: string, said: HTMLButtonElement): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      said.textContent = "Copied";
    } catch {
      const range = document.createRange();
      range.selectNodeContents(this.line.querySelector("code")!);
      getSelection()?.removeAllRanges();
      getSelection()?.addRange(range);
      said.textContent = "Press Ctrl+C";
    }
  }
}
