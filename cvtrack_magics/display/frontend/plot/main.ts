// What anywidget loads: one factory call per model, one `render` per view.

import { watchCards } from "./cards";
import { fillPlaces, placeOf } from "./places";
import { settingsOf } from "./settings";
import { Store, type PointsMessage } from "./store";
import { mountView } from "./view";

type Message =
  | PointsMessage
  | { kind: "state"; state: unknown }
  | { kind: "live"; actions: unknown };

interface Model {
  get(name: string): unknown;
  on(name: string, callback: (message: Message, buffers: DataView[]) => void): void;
  off(name: string, callback: (message: Message, buffers: DataView[]) => void): void;
  send(message: unknown): void;
}

/** How long to wait for a first message before asking for one, in milliseconds. */
const PATIENCE = 1500;

/**
 * When to ask again whether the kernel hears clicks, in milliseconds. JupyterLab sends a
 * comm's first messages to the busy shell, until it has opened a subshell for them.
 */
const AGAIN = [600, 2200, 6000, 20_000];

/** How long a view waits for the run's place before it draws the plot itself, in milliseconds. */
const PLACE_WITHIN = 400;

watchCards();

export default function plot() {
  const store = new Store();
  const read = (model: Model, name: string) => String(model.get(name) ?? "");
  return {
    initialize({ model }: { model: Model }): () => void {
      store.send = (message) => {
        try {
          model.send(message);
        } catch {
          // The kernel is gone; what was drawn stays.
        }
      };
      const run = read(model, "run");
      store.hello();
      const leave = run
        ? fillPlaces(run, store, settingsOf(run), read(model, "title"))
        : () => undefined;
      let asked = false;
      const ask = () => {
        if (asked) return;
        asked = true;
        store.send?.({ kind: "replay" });
      };
      const take = (message: Message, buffers: DataView[]) => {
        if (message?.kind === "state") store.takeState(message.state);
        if (message?.kind === "live") store.takeLive(message.actions);
        if (message?.kind !== "points") return;
        if ((message.family ?? "run") === "run") {
          clearTimeout(timer);
          if (message.full) asked = false;
        }
        if (!store.take(message, buffers)) ask();
      };
      // A reloaded page meets a model that has already said all it had to say.
      const timer = setTimeout(ask, PATIENCE);
      const timers = AGAIN.map((wait) => setTimeout(() => store.hello(), wait));
      model.on("msg:custom", take);
      return () => {
        for (const each of [timer, ...timers]) clearTimeout(each);
        model.off("msg:custom", take);
        leave();
      };
    },
    render({ model, el }: { model: Model; el: HTMLElement }): () => void {
      store.hello();
      const run = read(model, "run");
      const mount = () => mountView(el, store, { title: read(model, "title"), settings: settingsOf(run) });
      let view = run ? null : mount();
      // Where the page has the run's place the plot is there, and this view is only what loads it.
      const timer = setTimeout(() => {
        if (!placeOf(run)) view ??= mount();
      }, view ? 0 : PLACE_WITHIN);
      return () => {
        clearTimeout(timer);
        view?.remove();
      };
    },
  };
}
