//! What the page says in passing: what was done, and what went wrong. Spoken by screen readers.

import { button, h } from './dom.js';

const SHOWN_MS = 6_000;

const polite = /** @type {HTMLElement} */ (document.getElementById('notices'));
const urgent = /** @type {HTMLElement} */ (document.getElementById('problems'));

/**
 * @param {string} text
 * @param {{href: string, label: string}} [link] where to see what it is about
 */
export function say(text, link) {
  show(polite, text, 'notice', SHOWN_MS, link);
}

/**
 * Stays until it is closed.
 * @param {unknown} error
 * @param {string} [doing] what was tried
 */
export function complain(error, doing) {
  if (error instanceof DOMException && error.name === 'AbortError') return;
  const words = error instanceof Error ? error.message : String(error);
  show(urgent, doing === undefined ? sentence(words) : `${doing}: ${words}`, 'notice notice-bad', 0);
}

/**
 * A server's lower-case clause as a sentence.
 * @param {string} words
 */
export function sentence(words) {
  return words === '' ? words : words[0].toUpperCase() + words.slice(1);
}

/**
 * @param {HTMLElement} region
 * @param {string} text
 * @param {string} kind
 * @param {number} forMs 0: until it is closed
 * @param {{href: string, label: string}} [link]
 */
function show(region, text, kind, forMs, link) {
  // Said again, it is one notice and not two.
  for (const old of region.children) if (old.firstElementChild?.textContent === text) old.remove();
  const notice = h(
    'div',
    { class: kind },
    h('span', { class: 'notice-text' }, text),
    link && h('a', { href: link.href }, link.label),
    button('×', () => notice.remove(), { class: 'notice-close', 'aria-label': 'Close this message' }),
  );
  region.append(notice);
  while (region.children.length > 3) region.firstElementChild?.remove();
  if (forMs === 0) return;
  let timer = setTimeout(() => notice.remove(), forMs);
  notice.addEventListener('pointerenter', () => clearTimeout(timer));
  notice.addEventListener('pointerleave', () => {
    timer = setTimeout(() => notice.remove(), forMs);
  });
}
