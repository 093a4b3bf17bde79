// What to show and how: search, order, filters, threshold, layers, size.

import { h } from "preact";
import { number4 } from "../shared/format";
import { gradient, inferno, viridis } from "./palette";
import { Choice, Slider, Toggle } from "./parts";
import { ONLY_NAMES, type Layers, type Only, type View } from "./choices";
import { type State } from "./state";
import { placeOnSlider, thresholdText } from "./thresholds";
import type { VNode } from "./vnode";

const LAYERS: readonly [keyof Layers, string, string][] = [
  ["image", "Image", "i"],
  ["truth", "Truth", "t"],
  ["pred", "Prediction", "p"],
  ["masks", "Masks", "m"],
  ["text", "Labels", "l"],
];

const VIEWS: Partial<Record<string, readonly [View, string][]>> = {
  semantic: [
    ["main", "classes"],
    ["error", "errors"],
  ],
  depth: [
    ["main", "image"],
    ["truth", "truth"],
    ["pred", "prediction"],
    ["error", "error"],
  ],
};

const hasMasks = ({ sheet }: State): boolean => {
  const { data } = sheet.frames[0]!;
  if (data.kind === "boxes") return Boolean(data.pred.runs || data.truth.runs);
  if (data.kind === "anomaly") return Boolean(data.heat || data.mask);
  return data.kind !== "classes" && data.kind !== "sets";
};

function classChoices(state: State): [string, string][] {
  return [
    ["-1", "any"],
    ...state.sheet.classes.map(({ name }, at): [string, string] => [String(at), name]),
  ];
}

function Order({ state }: { state: State }): VNode {
  const names = state.scoreNames.value;
  const worst = state.worst.value;
  return h(
    "div",
    { class: "group" },
    h(Choice, {
      label: "Sort",
      value: state.sort.value,
      choices: [["", "data order"], ...names.map((name): [string, string] => [name, name])],
      pick: (name) => state.setSort(name),
    }),
    h(
      Toggle,
      {
        on: state.descending.value,
        label: state.descending.value ? "Descending" : "Ascending",
        title: "Ascending or descending",
        click: () => (state.descending.value = !state.descending.value),
      },
      state.descending.value ? "↓" : "↑",
    ),
    names.length
      ? h(
          "label",
          { class: "choice", title: `The n worst by ${state.mainScore()}` },
          h("span", { class: "hint" }, "Worst"),
          h("input", {
            type: "number",
            class: "count",
            min: 0,
            max: state.sheet.count,
            placeholder: "all",
            "aria-label": "Worst n",
            value: worst || "",
            onInput: (event: Event) => {
              const value = Math.floor(Number((event.target as HTMLInputElement).value));
              state.worst.value = value > 0 ? value : 0;
            },
          }),
        )
      : null,
  );
}

function Filters({ state }: { state: State }): VNode {
  const outcomes = state.outcomes;
  const classes = state.sheet.task !== "depth" && state.sheet.classes.length > 0;
  return h(
    "div",
    { class: "group" },
    outcomes.length
      ? h(Choice, {
          label: "Show",
          value: state.only.value,
          choices: (["all", ...outcomes] as Only[]).map((one) => [one, ONLY_NAMES[one]] as const),
          pick: (one) => (state.only.value = one as Only),
        })
      : null,
    classes
      ? [
          h(Choice, {
            key: "truth",
            label: "True class",
            value: String(state.truthClass.value),
            choices: classChoices(state),
            pick: (one) => (state.truthClass.value = Number(one)),
          }),
          h(Choice, {
            key: "pred",
            label: "Predicted class",
            value: String(state.predClass.value),
            choices: classChoices(state),
            pick: (one) => (state.predClass.value = Number(one)),
          }),
        ]
      : null,
  );
}

function Threshold({ state }: { state: State }): VNode | null {
  if (!state.thresholdRange) return null;
  const [min, max] = state.thresholdRange;
  const value = state.threshold.value;
  return h(
    "div",
    { class: "group" },
    h(Slider, {
      label: "Threshold",
      value: placeOnSlider(value, state.thresholdRange),
      min,
      max,
      say: thresholdText(value),
      change: (to) => (state.threshold.value = to),
    }),
    value !== state.defaultThreshold
      ? h(
          "button",
          {
            type: "button",
            class: "plain",
            "aria-label": "Reset the threshold",
            title: `Back to ${thresholdText(state.defaultThreshold)}`,
            onClick: () => (state.threshold.value = state.defaultThreshold),
          },
          "↺",
        )
      : null,
  );
}

export function LayerButtons({ state }: { state: State }): VNode {
  const layers = state.layers.value;
  const masks = hasMasks(state);
  const depth = state.sheet.task === "depth";
  const views = VIEWS[state.sheet.task];
  return h(
    "div",
    { class: "group" },
    h(
      "div",
      { class: "joined", role: "group", "aria-label": "Layers" },
      LAYERS.filter(
        ([name]) => (name !== "masks" || masks) && !(depth && (name === "truth" || name === "pred")),
      ).map(([name, label, key]) =>
        h(Toggle, {
          key: name,
          on: layers[name],
          label,
          title: `${label} (${key})`,
          click: () => state.toggle(name),
        }),
      ),
    ),
    views
      ? h(
          "div",
          { class: "joined", role: "group", "aria-label": "View" },
          views.map(([view, label]) =>
            h(Toggle, {
              key: view,
              on: state.view.value === view,
              label: `View ${label}`,
              children: label,
              click: () => (state.view.value = view),
            }),
          ),
        )
      : null,
    masks
      ? h(Slider, {
          label: "Opacity",
          value: state.opacity.value,
          min: 0,
          max: 1,
          change: (to) => (state.opacity.value = to),
        })
      : null,
    h(Legend, { state }),
  );
}

function Legend({ state }: { state: State }): VNode | null {
  const { data } = state.current.value;
  let [range, colours]: [[number, number] | null, typeof inferno] = [null, viridis];
  if (data.kind === "anomaly" && data.heat) [range, colours] = [data.heatRange, inferno];
  if (data.kind === "depth" && state.view.value !== "main") {
    const error = state.view.value === "error";
    [range, colours] = error ? [data.errorRange, inferno] : [data.range, viridis];
  }
  if (!range) return null;
  const [low, high] = range.map((one) => number4(Number(one.toPrecision(3))));
  return h(
    "span",
    { class: "legend", title: `Colours from ${low} to ${high}` },
    low,
    h("span", { class: "ramp", style: { backgroundImage: gradient(colours) } }),
    high,
  );
}

export function Toolbar({ state }: { state: State }): VNode {
  return h(
    "div",
    { class: "toolbar", role: "toolbar", "aria-label": "Samples" },
    h("input", {
      type: "search",
      id: "search",
      class: "search",
      placeholder: "Search id, name, class",
      "aria-label": "Search id, name or class",
      "aria-keyshortcuts": "/",
      value: state.text.value,
      onInput: (event: Event) => (state.text.value = (event.target as HTMLInputElement).value),
    }),
    h(Filters, { state }),
    h(Order, { state }),
    h(Threshold, { state }),
    h(LayerButtons, { state }),
    h(
      "div",
      { class: "group last" },
      h(Slider, {
        label: "Size",
        value: state.tileSize.value,
        min: 40,
        max: 400,
        step: 4,
        change: (to) => (state.tileSize.value = to),
      }),
      h(Toggle, {
        on: state.panel.value,
        label: "Charts",
        title: "Show or hide the charts",
        click: () => state.showPanel(!state.panel.value),
      }),
      h(
        Toggle,
        { on: state.help.value, label: "Keys", title: "Keys (?)", click: () => (state.help.value = !state.help.value) },
        "?",
      ),
    ),
  );
}
