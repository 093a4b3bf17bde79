// Brings to life the tables of runs in the page: each is whole without it.

import { element } from "../shared/dom";
import css from "./runs.css";
import { RunsView } from "./view";

const here = document.currentScript?.getRootNode() ?? document;
const root = here instanceof ShadowRoot ? here : document;
for (const home of root.querySelectorAll<HTMLElement>(".cvtrack-runs:not([data-alive])")) {
  const table = home.querySelector("table");
  home.dataset["alive"] = "";
  if (!table) continue;
  const style = element("style");
  style.textContent = css;
  home.prepend(style);
  new RunsView(home, table);
}
