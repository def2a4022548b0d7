//! Elements, made and changed. The only place that makes nodes, and it never reads markup: whatever
//! a text holds, it is shown as that text.

/** @typedef {Node | string | number | null | undefined | false | Child[]} Child */

/**
 * An element. `class`, `for` and `aria-*` are attributes, `on…` are listeners, `true` sets an attribute without a
 * value, `false`, null and undefined leave it out.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any> | null} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'value' || name === 'checked' || name === 'indeterminate')
      /** @type {any} */ (element)[name] = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  append(element, children);
  return element;
}

/**
 * @param {Element} element
 * @param {Child[]} children
 */
export function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child instanceof Node ? child : String(child));
  }
}

/**
 * An element of a drawing.
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {...SVGElement} children
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/**
 * Puts a text in place of what an element holds, if it is another one: what did not change costs no layout and
 * keeps what the reader selected.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  const node = element.firstChild;
  if (node instanceof Text && node === element.lastChild) {
    if (node.data !== text) node.data = text;
  } else if (element.textContent !== text || node === null) {
    element.textContent = text;
  }
}

/**
 * Sets an attribute if it is another one; null takes it away.
 * @param {Element} element
 * @param {string} name
 * @param {string | null} value
 */
export function setAttribute(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * Replaces all that an element holds.
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/**
 * Gives the focus to an element if what had it is gone: whoever goes by keyboard would start again at the top.
 * @param {HTMLElement} element
 */
export function catchFocus(element) {
  const now = document.activeElement;
  const lost = now === null || now === document.body || (now instanceof HTMLButtonElement && now.disabled);
  if (lost) element.focus({ preventScroll: true });
}

let ids = 0;

/**
 * An id that no other element has, to tie labels to fields.
 * @param {string} prefix
 */
export function freshId(prefix) {
  ids += 1;
  return `${prefix}-${ids}`;
}

/**
 * A button that does something on this page.
 * @param {string} label
 * @param {(event: MouseEvent) => void} act
 * @param {Record<string, any>} [attributes]
 */
export function button(label, act, attributes = {}) {
  return h('button', { type: 'button', onclick: act, ...attributes }, label);
}

/**
 * A moment, with the machine's form of it beside the words.
 * @param {string | undefined} when RFC 3339
 * @param {string} words
 */
export function time(when, words) {
  return when === undefined ? words : h('time', { datetime: when, title: when }, words);
}
