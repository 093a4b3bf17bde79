// How many samples are shown, which filters are on, and what a change did.

import { h } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { CHANGES, CHANGE_NAMES, type Change } from "./compare";
import { clip, grouped } from "./parts";
import type { State } from "./state";
import type { VNode } from "./vnode";

/** Put text on the clipboard by whichever way this frame is allowed. */
async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

function CopyIds({ state }: { state: State }): VNode {
  const [said, say] = useState("");
  const [text, setText] = useState<string | null>(null);
  const box = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => box.current?.select(), [text]);
  const copy = async () => {
    const ids = state.rows.value.map((sample) => state.sheet.ids[sample]).join("\n");
    if (await copied(ids)) {
      say(`copied ${grouped(state.rows.value.length)}`);
      setTimeout(() => say(""), 2000);
    } else setText(ids);
  };
  return h(
    "span",
    { class: "copy" },
    h(
      "button",
      { type: "button", class: "plain", title: "Copy the ids of what is shown", onClick: () => void copy() },
      said || "Copy ids",
    ),
    text === null
      ? null
      : h(
          "div",
          { class: "sheet-box", role: "dialog", "aria-label": "Ids" },
          h("p", null, "This frame may not write to the clipboard. Press Ctrl+C:"),
          h("textarea", { ref: box, readOnly: true, rows: 8, value: text, "aria-label": "Ids" }),
          h("button", { type: "button", class: "toggle", onClick: () => setText(null) }, "Close"),
        ),
  );
}

function Chips({ state }: { state: State }): VNode | null {
  const became = state.changes.value;
  if (!became) return null;
  const counts = new Map<Change, number>();
  for (const one of became) if (one) counts.set(one, (counts.get(one) ?? 0) + 1);
  const names = state.judges ? CHANGES.judged : CHANGES.scored;
  const [before, after] = [state.earlier.value!, state.current.value];
  return h(
    "span",
    { class: "chips", role: "group", "aria-label": "What changed" },
    h(
      "span",
      { class: "hint", title: `${before.label} → ${after.label}` },
      `${clip(before.label, 18)} → ${clip(after.label, 18)}`,
    ),
    names.map((one) =>
      h(
        "button",
        {
          key: one,
          type: "button",
          class: `chip ${one}`,
          "aria-pressed": state.change.value === one ? "true" : "false",
          onClick: () => (state.change.value = state.change.value === one ? null : one),
        },
        `${CHANGE_NAMES[one]} `,
        h("b", null, grouped(counts.get(one) ?? 0)),
      ),
    ),
  );
}

export function Status({ state }: { state: State }): VNode {
  const filters = state.filters();
  const { shown } = state.sheet;
  return h(
    "div",
    { class: "status" },
    h(
      "span",
      { class: "showing", role: "status" },
      h("b", null, grouped(state.rows.value.length)),
      ` of ${grouped(state.counted.value)} shown`,
    ),
    filters.map(({ name, clear }, at) =>
      h(
        "button",
        {
          key: at,
          type: "button",
          class: "filter",
          title: `Clear: ${name}`,
          "aria-label": `Clear the filter ${name}`,
          onClick: clear,
        },
        h("bdi", null, clip(name, 48)),
        h("span", { "aria-hidden": "true" }, " ×"),
      ),
    ),
    filters.length > 1
      ? h("button", { type: "button", class: "plain", onClick: () => state.clearAll() }, "Clear all")
      : null,
    h(Chips, { state }),
    shown.tiles < shown.of && shown.note ? h("span", { class: "note" }, shown.note) : null,
    h(CopyIds, { state }),
  );
}
