// The page's colours, for what is drawn on a canvas and so cannot use CSS variables itself.

import css from "./style.css";
import uplotCss from "uplot/dist/uPlot.min.css";

export interface Theme {
  text: string;
  grid: string;
  ground: string;
}

const STYLE_ID = "cvtrack-plot-style";

/** Add our style sheet to the page (or shadow root) that holds `node`, once. */
export function installStyle(node: Node): void {
  const root = node.getRootNode();
  const home = root instanceof ShadowRoot ? root : document.head;
  if (home.querySelector(`#${STYLE_ID}`)) return;
  const style = document.createElement("style");
  style.id = STYLE_ID;
  style.textContent = `${uplotCss}\n${css}`;
  home.append(style);
}

export function readTheme(root: HTMLElement): Theme {
  const style = getComputedStyle(root);
  const read = (name: string, fallback: string) =>
    style.getPropertyValue(name).trim() || fallback;
  return {
    text: read("--cv-muted", "#767676"),
    grid: read("--cv-grid", "#8883"),
    ground: read("--cv-bg", "#fff"),
  };
}

/** Call back when the page changes its theme; the returned function stops that. */
export function watchTheme(changed: () => void): () => void {
  const observer = new MutationObserver(changed);
  const attributes = { attributes: true };
  observer.observe(document.documentElement, attributes);
  observer.observe(document.body, attributes);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", changed);
  return () => {
    observer.disconnect();
    dark.removeEventListener("change", changed);
  };
}
