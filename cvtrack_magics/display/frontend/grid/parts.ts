// Small pieces of the user interface.

import { h, type ComponentChildren } from "preact";
import { number4 } from "../shared/format";
import type { VNode } from "./vnode";

export function Toggle(props: {
  on: boolean;
  label: string;
  title?: string;
  click: () => void;
  children?: ComponentChildren;
}): VNode {
  return h(
    "button",
    {
      type: "button",
      class: "toggle",
      "aria-pressed": props.on ? "true" : "false",
      "aria-label": props.label,
      title: props.title ?? props.label,
      onClick: props.click,
    },
    props.children ?? props.label,
  );
}

export function Choice(props: {
  label: string;
  value: string;
  choices: readonly (readonly [string, string])[];
  pick: (value: string) => void;
}): VNode {
  return h(
    "label",
    { class: "choice" },
    h("span", { class: "hint" }, props.label),
    h(
      "select",
      {
        "aria-label": props.label,
        value: props.value,
        onChange: (event: Event) => props.pick((event.target as HTMLSelectElement).value),
      },
      props.choices.map(([value, name]) =>
        h("option", { key: value, value, selected: value === props.value, title: name }, clip(name)),
      ),
    ),
  );
}

export function Slider(props: {
  label: string;
  value: number;
  min: number;
  max: number;
  step?: number | "any";
  say?: string;
  change: (value: number) => void;
}): VNode {
  return h(
    "label",
    { class: "slider" },
    h("span", { class: "hint" }, props.label),
    h("input", {
      type: "range",
      "aria-label": props.label,
      "aria-valuetext": props.say,
      min: props.min,
      max: props.max,
      step: props.step ?? "any",
      value: props.value,
      onInput: (event: Event) => props.change(Number((event.target as HTMLInputElement).value)),
    }),
    props.say === undefined ? null : h("output", { class: "say" }, props.say),
  );
}

/** A long name, short enough for a list. */
export function clip(name: string, most = 40): string {
  const signs = [...name];
  return signs.length > most ? `${signs.slice(0, most - 1).join("")}…` : name;
}

/** A count with its thousands set apart; a formatter made once is many times as fast. */
export const grouped = new Intl.NumberFormat("en-US").format;

/** A figure as an evaluation's report writes it. */
export function share(value: number, digits: number): string {
  return Number.isFinite(value) ? number4(value, digits) : "–";
}

export function Section(props: { title: string; side?: ComponentChildren; children: ComponentChildren }): VNode {
  return h(
    "section",
    { class: "chart", "aria-label": props.title },
    h("div", { class: "chart-head" }, h("h2", null, props.title), props.side),
    props.children,
  );
}
