// One sample, closely: native pixels, all layers, its objects; before and after side by side.

import { useSignal } from "@preact/signals";
import { h } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { captionOf } from "./captions";
import { Objects } from "./objects";
import { isHere } from "./packs";
import { Pane, type Shot } from "./pane";
import { pixelAt } from "./pixel";
import type { Painter, Spot } from "./raster";
import type { Resources } from "./resources";
import type { State } from "./state";
import { LayerButtons } from "./toolbar";
import { fit, said, step, zoomed, type Zoom } from "./zoom";
import { grouped } from "./parts";
import type { VNode } from "./vnode";

interface Props {
  state: State;
  resources: Resources;
  painter: Painter;
  /** Called with what to do when a picture arrives. */
  listen: (ready: ((sample: number) => void) | null) => void;
}

/** What is seen side by side. */
function shotsOf(state: State): Shot[] {
  const [frame, judged] = [state.current.value, state.judged.value];
  const view = state.view.value;
  const earlier = state.earlier.value;
  if (earlier) {
    return [
      { label: earlier.label, frame: earlier, judged: state.judgedEarlier.value!, view },
      { label: frame.label, frame, judged, view },
    ];
  }
  const { kind } = frame.data;
  if (kind === "labels" && view !== "error") {
    return [
      { label: "truth", frame, judged, view: "truth" },
      { label: "prediction", frame, judged, view: "pred" },
    ];
  }
  if (kind === "depth") {
    return [
      { label: "image", frame, judged, view: "main" },
      { label: "truth", frame, judged, view: "truth" },
      { label: "prediction", frame, judged, view: "pred" },
      { label: "error", frame, judged, view: "error" },
    ];
  }
  return [{ label: "", frame, judged, view }];
}

function lookNote(state: State, sample: number): string {
  const { sheet } = state;
  const [w, h_] = [sheet.width[sample]!, sheet.height[sample]!];
  if (isHere(sheet.full, sample)) return "";
  if (!isHere(sheet.tile, sample)) return "The picture is not in this file.";
  const [tw, th] = [sheet.tileWidth[sample]!, sheet.tileHeight[sample]!];
  if (tw >= w && th >= h_) return "";
  return `The native picture (${w} × ${h_}) is not in this file; this is its ${tw} × ${th} tile, enlarged.`;
}

export function Detail(props: Props): VNode | null {
  const at = props.state.detail.value;
  const sample = at === null ? undefined : props.state.rows.value[at];
  if (at === null || sample === undefined) return null;
  return h(Look, { ...props, at, sample });
}

function Look({ state, resources, painter, listen, at, sample }: Props & { at: number; sample: number }): VNode {
  const zoom = useSignal<Zoom>({ scale: 1, x: 0, y: 0 });
  const spot = useSignal<Spot | null>(null);
  const place = useSignal<[number, number] | null>(null);
  const arrived = useSignal(0);
  const root = useRef<HTMLDivElement>(null);
  const homes = useRef<(HTMLDivElement | null)[]>([]);
  const panes = useRef<Pane[]>([]);
  const fitted = useRef(true);
  const shots = shotsOf(state);
  while (panes.current.length < shots.length) panes.current.push(new Pane(state, resources, painter));
  const ratio = devicePixelRatio || 1;

  const room = (): [number, number] => {
    const home = homes.current[0];
    return [(home?.clientWidth ?? 1) * ratio, (home?.clientHeight ?? 1) * ratio];
  };
  const refit = () => {
    const [width, height] = panes.current[0]!.size(sample);
    const [wide, tall] = room();
    zoom.value = fit(width, height, Math.max(1, wide - 16), Math.max(1, tall - 16));
    fitted.current = true;
  };
  const zoomTo = (scale: number, dx = 0, dy = 0) => {
    fitted.current = false;
    zoom.value = zoomed(zoom.value, scale, dx, dy);
  };

  useLayoutEffect(() => {
    shots.forEach((_, index) => {
      const [home, pane] = [homes.current[index], panes.current[index]!];
      if (home && pane.canvas.parentNode !== home) home.prepend(pane.canvas);
    });
    refit();
  }, [sample, shots.length]);
  useEffect(() => {
    root.current?.focus();
    listen((one) => {
      for (const pane of panes.current) pane.stale();
      if (one === state.rows.value[state.detail.value ?? -1]) arrived.value += 1;
    });
    const watch = new ResizeObserver(() => {
      if (fitted.current) refit();
      else arrived.value += 1;
    });
    if (homes.current[0]) watch.observe(homes.current[0]);
    return () => {
      listen(null);
      watch.disconnect();
    };
  }, []);
  void arrived.value;
  useLayoutEffect(() => {
    shots.forEach((shot, index) =>
      panes.current[index]!.draw(shot, sample, zoom.value, spot.value),
    );
  });

  const from = (event: MouseEvent): [number, number] => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    return [
      (event.clientX - box.left - box.width / 2) * ratio,
      (event.clientY - box.top - box.height / 2) * ratio,
    ];
  };
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    const [dx, dy] = from(event);
    zoomTo(step(zoom.value.scale, event.deltaY < 0), dx, dy);
  };
  const move = (event: PointerEvent, index: number) => {
    const { scale, x, y } = zoom.value;
    if (event.buttons & 1) {
      fitted.current = false;
      const [dx, dy] = [event.movementX * ratio, event.movementY * ratio];
      zoom.value = { scale, x: x - dx / scale, y: y - dy / scale };
      return;
    }
    const [dx, dy] = from(event);
    const [px, py] = [x + dx / scale, y + dy / scale];
    place.value = [Math.floor(px), Math.floor(py)];
    const found = panes.current[index]!.spotAt(shots[index]!, sample, px, py);
    if (JSON.stringify(found) !== JSON.stringify(spot.value)) spot.value = found;
  };
  const key = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") zoomTo(step(zoom.value.scale, true));
    else if (event.key === "-") zoomTo(step(zoom.value.scale, false));
    else if (event.key === "0") refit();
    else if (event.key === "1") zoomTo(1);
    else return;
    event.preventDefault();
  };
  const go = (by: number) => {
    const next = at + by;
    if (next < 0 || next >= state.rows.value.length) return;
    spot.value = null;
    state.detail.value = next;
    state.focused.value = next;
  };
  const last = state.rows.value.length - 1;
  const control = (label: string, sign: string, click: () => void, disabled = false) =>
    h("button", { type: "button", class: "toggle", "aria-label": label, title: label, disabled, onClick: click }, sign);
  const { ids, names } = state.sheet;
  const caption = captionOf(state, state.current.value, state.judged.value, sample);
  const note = lookNote(state, sample);
  const under = place.value && pixelAt(state, resources, state.current.value, sample, place.value);
  return h(
    "div",
    {
      class: "detail",
      ref: root,
      tabindex: -1,
      role: "dialog",
      "aria-modal": "true",
      "aria-label": `Sample ${names[sample] || ids[sample]}`,
      onKeyDown: key,
    },
    h(
      "header",
      { class: "detail-head" },
      control("Previous sample", "‹", () => go(-1), at <= 0),
      control("Next sample", "›", () => go(1), at >= last),
      h("span", { class: "hint nowrap" }, `${grouped(at + 1)} / ${grouped(last + 1)}`),
      h(
        "span",
        { class: "detail-name", title: [names[sample], ids[sample]].filter(Boolean).join("\n") },
        h("bdi", null, names[sample] || ids[sample]),
      ),
      h(
        "span",
        { class: "detail-caption", "data-verdict": caption.mark === "✗" ? "wrong" : caption.mark ? "right" : "" },
        h("b", null, caption.mark),
        " ",
        h("bdi", null, caption.text),
        " ",
        h("span", { class: "figure" }, caption.figure),
      ),
      h("button", { type: "button", class: "toggle close", "aria-label": "Close", title: "Close (Esc)", onClick: () => (state.detail.value = null) }, "×"),
    ),
    h(
      "div",
      { class: "detail-tools" },
      h(LayerButtons, { state }),
      h(
        "div",
        { class: "group" },
        h(
          "div",
          { class: "joined", role: "group", "aria-label": "Zoom" },
          control("Zoom out", "−", () => zoomTo(step(zoom.value.scale, false))),
          control("Fit", "Fit", refit),
          control("One pixel of the picture on one of the screen", "1:1", () => zoomTo(1)),
          control("Zoom in", "+", () => zoomTo(step(zoom.value.scale, true))),
        ),
        h("output", { class: "say", "aria-label": "Zoom" }, said(zoom.value.scale, ratio)),
      ),
    ),
    h(
      "div",
      { class: "detail-body" },
      h(
        "div",
        { class: "panes", style: { "--across": shots.length > 2 ? 2 : shots.length } },
        shots.map((shot, index) =>
          h(
            "div",
            { key: index, class: "pane" },
            h("div", {
              class: "stage",
              ref: (node: HTMLDivElement | null) => {
                homes.current[index] = node;
              },
              onWheel: wheel,
              onPointerDown: (event: PointerEvent) => (event.currentTarget as Element).setPointerCapture(event.pointerId),
              onPointerMove: (event: PointerEvent) => move(event, index),
              onPointerLeave: () => {
                spot.value = null;
                place.value = null;
              },
              onDblClick: refit,
            }),
            shot.label ? h("div", { class: "pane-label", title: shot.label }, shot.label) : null,
          ),
        ),
      ),
      h(
        "div",
        { class: "side" },
        [...new Set(shots.map((shot) => shot.frame))].map((frame) => {
          const shot = shots.find((one) => one.frame === frame)!;
          return h(Objects, {
            key: frame.index,
            state,
            frame,
            judged: shot.judged,
            sample,
            spot: spot.value,
            point: (one) => (spot.value = one),
          });
        }),
      ),
    ),
    h(
      "footer",
      { class: "detail-foot" },
      note ? h("span", { class: "note" }, note) : null,
      h("span", { class: "under" }, under ?? ""),
    ),
  );
}
