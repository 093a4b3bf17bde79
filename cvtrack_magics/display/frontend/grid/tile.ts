// The element of one sample: its picture and what is said below it. Elements are used again.

import { element } from "../shared/dom";
import { aloud, captionOf, type Caption } from "./captions";
import { isHere } from "./packs";
import type { State } from "./state";

class Line {
  readonly node = element("div", "line");
  private readonly mark = element("span", "mark");
  private readonly words = element("span", "words");
  private readonly figure = element("span", "figure");

  constructor() {
    this.node.append(this.mark, this.words, this.figure);
  }

  show({ mark, text, figure }: Caption, prefix: string): void {
    this.node.dataset["verdict"] = mark === "✗" ? "wrong" : mark === "✓" ? "right" : "";
    this.mark.textContent = mark;
    this.words.textContent = prefix + text;
    this.figure.textContent = figure;
    this.node.title = [prefix + text, figure].filter(Boolean).join("  ");
  }
}

export class Tile {
  readonly node = element("div", "tile", "", { role: "option" });
  readonly canvas = element("canvas");
  readonly context = this.canvas.getContext("2d")!;
  private readonly frame = element("div", "picture");
  private readonly before = new Line();
  private readonly after = new Line();
  private readonly absent = element("span", "absent", "not in this file");
  sample = -1;
  at = -1;
  wide = 0;
  tall = 0;
  /** Whether its picture has been drawn. */
  seen = false;

  constructor() {
    this.frame.append(this.canvas, this.absent);
    this.node.append(this.frame, this.before.node, this.after.node);
  }

  /** Whether its picture is in this file. */
  has({ sheet }: State): boolean {
    return isHere(sheet.tile, this.sample) || isHere(sheet.full, this.sample);
  }

  put(at: number, sample: number, x: number, y: number, wide: number, tall: number): void {
    this.at = at;
    this.seen = false;
    this.sample = sample;
    this.node.id = `tile-${at}`;
    this.node.dataset["sample"] = String(sample);
    this.node.style.transform = `translate(${x}px, ${y}px)`;
    if (this.wide !== wide) this.node.style.width = `${wide}px`;
    if (this.tall !== tall) this.frame.style.height = `${tall}px`;
    this.wide = wide;
    this.tall = tall;
  }

  caption(state: State, showing: boolean, here: boolean): void {
    const [frame, earlier] = [state.current.value, state.earlier.value];
    const now = captionOf(state, frame, state.judged.value, this.sample);
    this.absent.hidden = here;
    this.node.setAttribute("aria-posinset", String(this.at + 1));
    this.node.setAttribute("aria-label", aloud(state, now, this.sample));
    this.node.classList.toggle("wrong", now.mark === "✗");
    this.before.node.hidden = !showing || earlier === null;
    this.after.node.hidden = !showing;
    if (!showing) return;
    this.after.show(now, "");
    if (earlier) {
      this.before.show(captionOf(state, earlier, state.judgedEarlier.value!, this.sample), "");
    }
  }

  focus(on: boolean): void {
    this.node.classList.toggle("focused", on);
    this.node.setAttribute("aria-selected", String(on));
  }
}
