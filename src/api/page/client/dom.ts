/** Elements from values. Text always becomes text: nothing that came from the network is ever read as HTML. */

export type Child = Node | string | number | null | readonly Child[];
type Attributes = Readonly<Record<string, string | boolean | ((event: Event) => void)>>;

const SVG = "http://www.w3.org/2000/svg";

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes | null,
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag: string, attributes: Attributes, ...children: readonly Child[]): SVGElement {
  return fill(document.createElementNS(SVG, tag) as SVGElement, attributes, children);
}

function fill<E extends Element>(element: E, attributes: Attributes | null, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

function append(element: Element, children: readonly Child[]): void {
  for (const child of children) {
    if (child === null) continue;
    if (child instanceof Node) element.append(child);
    else if (typeof child === "object") append(element, child);
    else element.append(String(child));
  }
}

/** Puts new content in place; who stood on a link or button that is there again (by `data-key`) stands on it still. */
export function put(element: Element, ...children: readonly Child[]): void {
  const active = document.activeElement;
  const key = active !== null && element.contains(active) ? active.getAttribute("data-key") : null;
  const holder = document.createElement("div");
  append(holder, children);
  element.replaceChildren(...holder.childNodes);
  if (key !== null) element.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`)?.focus();
}
