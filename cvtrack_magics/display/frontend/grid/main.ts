// Reads the document of the page and puts the viewer into it.

import { h, render } from "preact";
import { element } from "../shared/dom";
import { App } from "./app";
import css from "./grid.css";
import { listenToKeys } from "./keys";
import { Painter } from "./raster";
import { Resources } from "./resources";
import { readSheet } from "./sheet";
import { State } from "./state";
import { followTheme } from "./theme";
import { Tiles } from "./tiles";

function start(): void {
  const style = element("style");
  style.textContent = css;
  document.head.append(style);
  followTheme();
  const home = document.getElementById("grid")!;
  const source = document.getElementById("sheet")!;
  const state = new State(readSheet(JSON.parse(source.textContent ?? "null")));
  source.textContent = "";
  let looking: ((sample: number) => void) | null = null;
  const resources = new Resources(
    (sample) => tiles.sees(sample) || state.rows.value[state.detail.value ?? -1] === sample,
    (sample) => {
      tiles.ready(sample);
      looking?.(sample);
    },
  );
  const painter = new Painter(state, resources);
  const tiles: Tiles = new Tiles(state, resources, painter);
  const listen = (ready: typeof looking) => {
    looking = ready;
  };
  home.replaceChildren();
  render(h(App, { state, tiles, resources, painter, listen }), home);
  listenToKeys(state, tiles);
  tiles.drawn(() => (state.settled.value = true));
}

try {
  start();
} catch (error) {
  const home = document.getElementById("grid") ?? document.body;
  home.textContent = `The predictions cannot be shown: ${String(error)}`;
  throw error;
}
