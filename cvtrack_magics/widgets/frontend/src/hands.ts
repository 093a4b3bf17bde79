// What a person is doing with a view while the page moves it: typing, dragging a slider.

export interface Hands {
  /** Go on with it in the place where the view is now. */
  goOn(): void;
}

/** Watch what has the focus, and which slider is held, in one view. */
export function watchHands(root: HTMLElement): Hands {
  let focused: HTMLElement | null = null;
  let slider: HTMLInputElement | null = null;

  root.addEventListener("focusin", (event) => {
    focused = event.target as HTMLElement;
  });
  root.addEventListener("focusout", (event) => {
    const left = event.target;
    // an element that is taken out of the page loses the focus too
    queueMicrotask(() => {
      if (root.isConnected && focused === left && document.activeElement !== left) focused = null;
    });
  });
  root.addEventListener("pointerdown", (event) => {
    const target = event.target;
    if (!(target instanceof HTMLInputElement) || target.type !== "range") return;
    slider = target;
    const letGo = () => {
      slider = null;
      removeEventListener("pointerup", letGo, true);
      removeEventListener("pointermove", follow, true);
    };
    addEventListener("pointerup", letGo, true);
  });

  /** Do what the browser did until the slider was moved away from under the pointer. */
  const follow = (event: PointerEvent) => {
    if (!slider) return;
    const box = slider.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / Math.max(1, box.width)));
    const [low, high] = [Number(slider.min || 0), Number(slider.max || 100)];
    slider.value = String(low + share * (high - low));
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  };

  return {
    goOn() {
      const elsewhere = document.activeElement && document.activeElement !== document.body;
      if (focused && root.contains(focused) && !elsewhere) focused.focus({ preventScroll: true });
      if (slider) addEventListener("pointermove", follow, true);
    },
  };
}
