// Elements whose text is always text: names of metrics come from anywhere.

type Attributes = Record<string, string>;

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = "",
  text = "",
  attributes: Attributes = {},
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

/** Signs at the end of a name that are never cut: they often tell it apart from its neighbours. */
const TAIL = 10;

/** Put a name into an element that, where there is no room, cuts it in its middle. */
export function setName(node: HTMLElement, name: string): void {
  const signs = [...name];
  const cut = signs.length - TAIL;
  const parts = cut > TAIL ? [signs.slice(0, cut), signs.slice(cut)] : [signs];
  node.classList.add("cv-cut");
  node.replaceChildren(...parts.map((part) => element("span", "", part.join(""))));
  node.title = name;
}

export function button(
  className: string,
  text: string,
  label: string,
  click: () => void,
): HTMLButtonElement {
  const node = element("button", className, text, { type: "button", "aria-label": label });
  node.title = label;
  node.addEventListener("click", click);
  return node;
}

let ids = 0;

/** An id no other element of the page has; several bundles may share one page. */
export function freshId(): string {
  ids += 1;
  return `cvtrack-${ids}-${Math.random().toString(36).slice(2, 8)}`;
}
