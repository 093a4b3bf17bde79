// The flags on top of a plot: a note for each, on hover and on focus.

import { element } from "../shared/dom";

export interface Note {
  /** CSS pixels from the left edge of the layer. */
  left: number;
  text: string;
}

export class Notes {
  readonly root = element("div", "cv-notes");
  private readonly flags: HTMLButtonElement[] = [];

  /** Show flags; `reachable` puts them into the tab order. */
  set(notes: Note[], width: number, reachable: boolean): void {
    notes.forEach((note, at) => {
      const flag = this.flag(at);
      const words = flag.lastElementChild as HTMLElement;
      if (words.textContent !== note.text) {
        words.textContent = note.text;
        flag.setAttribute("aria-label", note.text);
      }
      flag.hidden = false;
      flag.tabIndex = reachable ? 0 : -1;
      flag.style.left = `${note.left}px`;
      flag.classList.toggle("cv-from-right", note.left > width / 2);
    });
    for (const flag of this.flags.slice(notes.length)) flag.hidden = true;
  }

  /** Show the notes that the crosshair is on. */
  point(left: number): void {
    for (const flag of this.flags) {
      const near = left >= 0 && Math.abs(parseFloat(flag.style.left) - left) <= 4;
      flag.classList.toggle("cv-near", near);
    }
  }

  private flag(at: number): HTMLButtonElement {
    let flag = this.flags[at];
    if (!flag) {
      flag = element("button", "cv-flag", "", { type: "button" });
      flag.append(element("span", "cv-note", "", { role: "tooltip" }));
      this.flags.push(flag);
      this.root.append(flag);
    }
    return flag;
  }
}
