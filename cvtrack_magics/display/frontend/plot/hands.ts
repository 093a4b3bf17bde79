// What a person is doing with a view while the page moves it: typing, clicking, dragging a slider.

export interface Hands {
  /** Go on with it in the place where the view is now. */
  goOn(): void;
}

/** Watch what has the focus, and which slider or button is held, in one view. */
export function watchHands(root: HTMLElement): Hands {
  let focused: HTMLElement | null = null;
  let slider: HTMLInputElement | null = null;
  let pressed: HTMLButtonElement | null = null;

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
    const pushed = (target as Element).closest("button");
    if (pushed && event.button === 0) {
      pressed = pushed;
      addEventListener("pointerup", () => (pressed = null), { once: true });
    }
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

  /** Chromium tells a button that was moved between the halves of a click of none: click it. */
  const letGoOf = (held: HTMLButtonElement) => {
    let told = false;
    held.addEventListener("click", () => (told = true), { once: true });
    return (event: PointerEvent) => {
      const box = held.getBoundingClientRect();
      const across = event.clientX >= box.left && event.clientX <= box.right;
      const on = across && event.clientY >= box.top && event.clientY <= box.bottom;
      setTimeout(() => on && !told && held.click());
    };
  };

  return {
    goOn() {
      const elsewhere = document.activeElement && document.activeElement !== document.body;
      if (focused && root.contains(focused) && !elsewhere) focused.focus({ preventScroll: true });
      if (slider) addEventListener("pointermove", follow, true);
      if (pressed) addEventListener("pointerup", letGoOf(pressed), { once: true });
      pressed = null;
    },
  };
}
