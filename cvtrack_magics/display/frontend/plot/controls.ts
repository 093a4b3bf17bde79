// Buttons that reach the kernel while its cell runs: stop, pause, and a note at this step.

import { button, element } from "../shared/dom";
import { ENOUGH, type Store } from "./store";

const LONGEST = 500; // characters of a note; `display/live.py` cuts there
const PATIENCE = 10_000; // milliseconds until a pause that nobody answered may be asked for again

const DEFAULTS: Record<string, string> = {
  stopping: "stopping at the next step …",
  stopped: "stopped",
  pausing: "pausing at the next step …",
  paused: "paused",
};

/** What is said where the kernel hears no click. */
const DEAF = "no buttons here: interrupt the cell to end the run";

export interface Controls {
  buttons: HTMLElement;
  /** What happens after a click, in words. */
  words: HTMLElement;
  update(): void;
}

/** What `control(state, note)` of the kernel reads like. */
export function wordsOf(state: string, note: string): string {
  if (!(state in DEFAULTS)) return "";
  if (!note) return DEFAULTS[state] as string;
  return note.startsWith(state) ? note : `${state} ${note}`;
}

export function makeControls(store: Store): Controls {
  const buttons = element("span", "cv-controls", "", { role: "group", "aria-label": "Run" });
  const words = element("span", "cv-control", "", { role: "status" });
  const ask = (action: string) => {
    store.act(action);
    setTimeout(() => {
      if (action !== "stop" && store.clicked.delete(action)) store.changed();
    }, PATIENCE);
  };
  const stop = button("cv-toggle cv-stop", "Stop", "Stop the run at its next step", () =>
    ask("stop"),
  );
  const pause = button("cv-toggle", "Pause", "Pause the run", () =>
    ask(store.state.control.state === "paused" ? "resume" : "pause"),
  );
  const mark = button("cv-toggle", "Mark", "Note something at this step", () => open(true));
  const field = element("input", "cv-field", "", {
    type: "text",
    maxlength: String(LONGEST),
    placeholder: "note, Enter to keep",
    "aria-label": "Note at this step: Enter keeps it, Escape leaves",
  });
  field.hidden = true;
  buttons.append(pause, mark, field, stop);

  let writing = false;
  function open(now: boolean): void {
    const hadFocus = document.activeElement === field || field.matches(":focus");
    writing = now;
    update();
    if (now) field.focus();
    else {
      field.value = "";
      if (hadFocus) mark.focus();
    }
  }
  field.addEventListener("keydown", (event) => {
    // Shift-Enter would run the notebook's cell, Escape would leave its output.
    event.stopPropagation();
    if (event.isComposing) return;
    if (event.key === "Enter") {
      event.preventDefault();
      const text = field.value.trim();
      if (text) store.send?.({ kind: "action", action: "mark", text });
      open(false);
    } else if (event.key === "Escape") open(false);
  });
  field.addEventListener("blur", () => {
    // A field that the page takes out and puts elsewhere loses the focus too, and has it back:
    // only one that its writer has left is closed.
    queueMicrotask(() => {
      const left = field.isConnected && !field.matches(":focus");
      if (writing && left && !field.value.trim()) open(false);
    });
  });

  const say = (node: HTMLButtonElement, text: string, busy: boolean, label: string) => {
    if (node.textContent !== text) node.textContent = text;
    node.setAttribute("aria-label", label);
    node.title = label;
    node.setAttribute("aria-busy", String(busy));
    node.setAttribute("aria-disabled", String(busy));
    node.disabled = busy;
  };

  function update(): void {
    const { state, note } = store.state.control;
    const running = store.status === "RUNNING";
    const offered = (running && store.send && store.actions) || [];
    const has = (action: string) => offered.includes(action);
    const { clicked } = store;
    const ending = clicked.has("stop") || state === "stopping";
    const paused = state === "paused";
    const turning = clicked.has("pause") || clicked.has("resume");
    say(
      stop,
      ending ? "Stopping …" : "Stop",
      ending,
      ending ? "The run is being stopped" : "Stop the run at its next step",
    );
    const busy = clicked.has("resume") ? "Resuming …" : "Pausing …";
    say(
      pause,
      turning ? busy : paused ? "Resume" : "Pause",
      turning || ending,
      paused ? "Go on with the run" : "Pause the run",
    );
    stop.hidden = !has("stop");
    pause.hidden = !has("pause") && !(paused && has("resume"));
    mark.hidden = !has("mark") || writing;
    field.hidden = !has("mark") || !writing;
    buttons.hidden = [stop, pause, mark, field].every((node) => node.hidden);
    const said = running || state === "stopped" ? wordsOf(state, note) : "";
    const shown = said || (running && !store.actions && store.hellos > ENOUGH ? DEAF : "");
    if (words.textContent !== shown) words.textContent = shown;
    words.hidden = !shown;
  }
  update();
  return { buttons, words, update };
}
