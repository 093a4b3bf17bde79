// What each key does.

import type { Layers } from "./choices";
import type { State } from "./state";
import type { Tiles } from "./tiles";

export const KEYS: readonly [string, string][] = [
  ["← → ↑ ↓", "move through the samples"],
  ["Home, End, Page ↑ ↓", "move further"],
  ["Enter", "look closely"],
  ["Esc", "close"],
  ["/", "search"],
  ["t  p  m", "truth, prediction, masks"],
  ["i  l", "image, labels"],
  ["+  −  0  1", "zoom, fit, 1:1 (looking closely)"],
  ["?", "these keys"],
];

const LAYERS: Record<string, keyof Layers> = {
  i: "image",
  t: "truth",
  p: "pred",
  m: "masks",
  l: "text",
};

const isField = (target: EventTarget | null): boolean =>
  target instanceof HTMLInputElement
    ? target.type !== "range"
    : target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;

export function listenToKeys(state: State, tiles: Tiles): void {
  const close = (): boolean => {
    if (state.help.value) state.help.value = false;
    else if (state.detail.value !== null) state.detail.value = null;
    else if (state.panel.value && innerWidth <= 760) state.showPanel(false);
    else return false;
    return true;
  };
  const target = (key: string): number | null => {
    const last = state.rows.value.length - 1;
    const from = state.focused.value;
    const inDetail = state.detail.value !== null;
    const page = tiles.page();
    switch (key) {
      case "ArrowLeft":
        return from - 1;
      case "ArrowRight":
        return from + 1;
      case "ArrowUp":
        return inDetail ? from - 1 : tiles.beside(from, -1);
      case "ArrowDown":
        return inDetail ? from + 1 : tiles.beside(from, 1);
      case "PageUp":
        return inDetail ? null : tiles.beside(from, -page);
      case "PageDown":
        return inDetail ? null : tiles.beside(from, page);
      case "Home":
        return 0;
      case "End":
        return last;
      default:
        return null;
    }
  };
  const move = (key: string): boolean => {
    const to = target(key);
    const last = state.rows.value.length - 1;
    if (to === null || last < 0) return false;
    const at = Math.max(0, Math.min(last, to));
    state.focused.value = at;
    if (state.detail.value !== null) state.detail.value = at;
    else tiles.reveal(at);
    return true;
  };
  const press = (event: KeyboardEvent): boolean => {
    const { key } = event;
    const element = document.activeElement;
    const free = !element || element === document.body || element === tiles.scroller;
    if (key === "Escape") {
      if (isField(event.target)) {
        (event.target as HTMLElement).blur();
        tiles.scroller.focus();
        return true;
      }
      return close();
    }
    if (isField(event.target)) return false;
    const layer = LAYERS[key.toLowerCase()];
    if (layer) {
      state.toggle(layer);
      return true;
    }
    if (key === "?") {
      state.help.value = !state.help.value;
      return true;
    }
    if (key === "/") {
      state.detail.value = null;
      // What lies below a closing dialog takes no focus until the page is drawn again.
      setTimeout(() => document.getElementById("search")?.focus());
      return true;
    }
    if (state.detail.value === null && !free) return false;
    if (event.target instanceof HTMLInputElement) return false;
    if (key === "Enter" && state.detail.value === null && state.rows.value.length) {
      state.detail.value = Math.min(state.focused.value, state.rows.value.length - 1);
      return true;
    }
    return move(key);
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (press(event)) event.preventDefault();
  });
}
