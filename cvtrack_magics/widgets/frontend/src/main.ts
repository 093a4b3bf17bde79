// What anywidget loads: one factory call per model, one `render` per view.

import { watchCards } from "./cards";
import { fillPlaces } from "./places";
import { settingsOf } from "./settings";
import { Store, type PointsMessage } from "./store";
import { mountView } from "./view";

interface Model {
  get(name: string): unknown;
  on(name: string, callback: (message: PointsMessage, buffers: DataView[]) => void): void;
  off(name: string, callback: (message: PointsMessage, buffers: DataView[]) => void): void;
  send(message: unknown): void;
}

/** How long to wait for a first message before asking for one, in milliseconds. */
const PATIENCE = 1500;

watchCards();

export default function plot() {
  const store = new Store();
  const read = (model: Model, name: string) => String(model.get(name) ?? "");
  return {
    initialize({ model }: { model: Model }): () => void {
      const run = read(model, "run");
      const leave = run
        ? fillPlaces(run, store, settingsOf(run), read(model, "title"))
        : () => undefined;
      let asked = false;
      const ask = () => {
        if (asked) return;
        asked = true;
        model.send({ kind: "replay" });
      };
      const take = (message: PointsMessage, buffers: DataView[]) => {
        if (message?.kind !== "points") return;
        clearTimeout(timer);
        if (message.full) asked = false;
        if (!store.take(message, buffers)) ask();
      };
      // A reloaded page meets a model that has already said all it had to say.
      const timer = setTimeout(ask, PATIENCE);
      model.on("msg:custom", take);
      return () => {
        clearTimeout(timer);
        model.off("msg:custom", take);
        leave();
      };
    },
    render({ model, el }: { model: Model; el: HTMLElement }): () => void {
      const settings = settingsOf(read(model, "run"));
      return mountView(el, store, { title: read(model, "title"), settings }).remove;
    },
  };
}
