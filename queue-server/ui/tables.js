//! Tables whose lines become cards where there is little room. The roles say again what the elements mean, because
//! a browser forgets it once a table is laid out as something else.

import { serverNow } from './api.js';
import { h, setText, time } from './dom.js';
import { ago, exactly } from './format.js';

/** @typedef {import('./dom.js').Child} Child */
/** @typedef {'number' | 'name' | 'when' | 'worker' | 'remark' | 'row-actions' | 'tick-cell' | 'trend' | string} Kind */

/**
 * @param {string} caption heard, and not seen
 * @param {(readonly [label: Child, kind?: Kind, attributes?: Record<string, any>])[]} columns a head without a label
 *   is over buttons
 * @param {string} [kind] of the table
 */
export function tableOf(caption, columns, kind = '') {
  const heads = columns.map(([label, kind = '', attributes]) => {
    const words = label === '' ? h('span', { class: 'unseen' }, 'Actions') : label;
    return h('th', { role: 'columnheader', scope: 'col', class: kind, ...attributes }, words);
  });
  const body = h('tbody', { role: 'rowgroup' });
  const head = h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, ...heads));
  const title = h('caption', { class: 'unseen' }, caption);
  return { table: h('table', { class: `cards ${kind}`.trim(), role: 'table' }, title, head, body), body, heads };
}

/**
 * A line: what it is about, and its cells.
 * @param {...Child} cells
 */
export function line(...cells) {
  return h('tr', { role: 'row' }, ...cells);
}

/**
 * The cell that a line is about.
 * @param {...Child} children
 */
export function nameCell(...children) {
  return h('th', { role: 'rowheader', scope: 'row', class: 'name' }, ...children);
}

/**
 * @param {string | null} label said beside it where there is no head above; null: it speaks for itself
 * @param {Child} content
 * @param {Kind} [kind]
 * @param {Record<string, any>} [attributes]
 */
export function cell(label, content, kind, attributes) {
  return h('td', { role: 'cell', class: kind, 'data-label': label, ...attributes }, content);
}

/**
 * What keeps the lines of a table where they are while somebody points at them or has the focus among them, and a word
 * that says so once something waits for it. The lines are still to be told what became of them.
 * @param {Element} body
 */
export function holdOf(body) {
  const hint = h('p', { class: 'hold hint' }, '');
  return {
    hint,
    holds: () => body.matches(':hover') || body.contains(document.activeElement),
    /** @param {number} ended lines that are no longer as they were when they came */
    tell(ended, waits = ended > 0) {
      const words = ended > 0 ? `, ${exactly(ended)} of them in grey: ${ended === 1 ? 'it has' : 'they have'} gone on` : '';
      setText(hint, waits ? `The lines stay where they are while you are at them${words}.` : '');
    },
  };
}

/**
 * Which lines of a list are no longer part of it, by a newer answer to the same question. Items are listed in the order
 * of their ids.
 * @param {Iterable<string>} shown ids
 * @param {{items: {id: string}[], next?: string}} answer
 * @param {string} [from] behind which the answer begins
 */
export function goneFrom(shown, { items, next }, from = '') {
  const listed = new Set(items.map(({ id }) => id));
  const end = next === undefined ? undefined : items.at(-1)?.id;
  return [...shown].filter((id) => id > from && !listed.has(id) && (end === undefined || id <= end));
}

/**
 * Takes an element away without losing the place of who goes by keyboard: the line's link has the focus then.
 * @param {Element} row
 * @param {Element} element
 */
export function takeAway(row, element) {
  const focused = element.contains(document.activeElement);
  element.remove();
  if (focused) row.querySelector('a')?.focus({ preventScroll: true });
}

/**
 * How long ago a moment was, for a cell; `keepAges` lets it go on.
 * @param {string | undefined} when RFC 3339
 */
export function age(when) {
  return when === undefined ? '–' : time(when, since(when));
}

/** @param {string} when */
const since = (when) => ago(serverNow() - Date.parse(when));

/**
 * Lets the ages in a table go on while it is shown.
 * @param {import('./app.js').Scope} scope
 * @param {Element} body
 */
export function keepAges(scope, body) {
  scope.every(1_000, () => {
    for (const element of body.querySelectorAll('time')) setText(element, since(element.dateTime));
  });
}
