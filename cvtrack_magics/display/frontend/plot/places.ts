// Runs that go on: put the plot into each place that the run's header has for it.

import { type Hands, watchHands } from "./hands";
import type { Settings } from "./settings";
import type { Store } from "./store";
import { mountView, type View } from "./view";
import { watchFor } from "./watch";

const selectorOf = (run: string) => `.cvtrack-live[data-plot="${CSS.escape(run)}"]`;

/** The first place in the page that a run's plot can be in. */
export function placeOf(run: string): Element | null {
  return document.querySelector(selectorOf(run));
}

/**
 * Fill the places of one run until the returned function is called. The kernel writes the
 * header anew now and then, to have the newest values in a saved notebook, and the view of a
 * place that is gone moves on to the new one with all it shows.
 */
export function fillPlaces(
  run: string,
  store: Store,
  settings: Settings,
  title: string,
): () => void {
  const views = new Map<HTMLElement, View>();
  const hands = new Map<View, Hands>();
  const stop = watchFor(selectorOf(run), (place) => {
    let view = views.get(place);
    if (!view) {
      const left = [...views.keys()].find((other) => !other.isConnected);
      view = left && views.get(left);
      if (left) views.delete(left);
      if (view) {
        place.replaceChildren(view.root);
        hands.get(view)?.goOn();
      } else {
        place.replaceChildren();
        view = mountView(place, store, { title, settings });
        hands.set(view, watchHands(view.root));
      }
      views.set(place, view);
    }
    view.update();
    store.hello();
  });
  return () => {
    stop();
    for (const view of views.values()) view.remove();
    views.clear();
  };
}
