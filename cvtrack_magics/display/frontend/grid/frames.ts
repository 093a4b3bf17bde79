// The steps of one run, or the runs that are compared.

import { h } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Choice, Toggle } from "./parts";
import type { State } from "./state";
import type { VNode } from "./vnode";

const PACE = 700;

function Play({ state }: { state: State }): VNode {
  const [playing, setPlaying] = useState(false);
  useEffect(() => {
    if (!playing) return undefined;
    const timer = setInterval(() => {
      state.frame.value = (state.frame.value + 1) % state.sheet.frames.length;
    }, PACE);
    return () => clearInterval(timer);
  }, [playing]);
  return h(
    Toggle,
    { on: playing, label: playing ? "Pause" : "Play", click: () => setPlaying(!playing) },
    playing ? "❚❚" : "▶",
  );
}

export function Frames({ state }: { state: State }): VNode | null {
  const { frames, compare } = state.sheet;
  if (frames.length < 2) return null;
  const { label, step } = state.current.value;
  const steps = frames.length > 2 || !compare;
  const onlyRuns = new Set(frames.map((one) => one.run)).size > 1;
  return h(
    "div",
    { class: "frames" },
    steps && !onlyRuns
      ? [
          h(Play, { key: "play", state }),
          h(
            "label",
            { key: "step", class: "slider" },
            h("span", { class: "hint" }, "Step"),
            h("input", {
              type: "range",
              "aria-label": "Step",
              "aria-valuetext": label,
              min: 0,
              max: frames.length - 1,
              step: 1,
              value: state.frame.value,
              onInput: (event: Event) =>
                (state.frame.value = Number((event.target as HTMLInputElement).value)),
            }),
          ),
          h("output", { key: "label", class: "say frame-label", title: label }, label || `step ${step}`),
        ]
      : h(Choice, {
          label: "Run",
          value: String(state.frame.value),
          choices: frames.map((one, at) => [String(at), one.label || one.run] as const),
          pick: (at) => (state.frame.value = Number(at)),
        }),
    compare
      ? h(Toggle, {
          on: state.comparing.value,
          label: "Compare",
          title: "Before and after",
          click: () => {
            state.comparing.value = !state.comparing.value;
            if (state.comparing.value) state.frame.value = compare[1];
            else state.change.value = null;
          },
        })
      : null,
  );
}
