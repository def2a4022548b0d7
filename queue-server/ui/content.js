//! What an item holds, and what came of it: bytes that anybody may have sent. Shown as text or as hexadecimal digits,
//! the first part at once and the rest when asked for.

import { button, fill, h } from './dom.js';
import { copyButton } from './copy.js';
import { bytes, hex } from './format.js';

/** Characters shown at once. */
const FIRST = 4_000;
/** Bytes shown as digits at once, and at all: the rest can be saved. */
const FIRST_HEX = 512;
const MOST_HEX = 65_536;
/** Largest text that is looked at for JSON. */
const MOST_JSON = 262_144;
/** A browser lays a line of a megabyte out for seconds, many short blocks at once. */
const BLOCK = 8_000;

/** @param {string} text */
function size(text) {
  return bytes(new Blob([text]).size);
}

/**
 * A text as blocks.
 * @param {string} text
 */
function blocks(text) {
  const parts = [];
  for (let at = 0; at < text.length;) {
    const line = text.lastIndexOf('\n', at + BLOCK);
    const end = at + BLOCK >= text.length ? text.length : line > at ? line + 1 : at + BLOCK;
    parts.push(h('span', { class: 'block' }, text.slice(at, end)));
    at = end;
  }
  return parts;
}

/**
 * A text that somebody sent.
 * @param {string} text
 * @param {string} what its name, for labels
 */
export function textContent(text, what) {
  const pre = h('pre', { class: 'content', tabindex: '0', 'aria-label': what, role: 'group' });
  const bar = h('div', { class: 'content-bar' }, h('span', { class: 'muted' }, size(text)));
  let all = text.length <= FIRST;
  let formatted = false;
  const pretty = text.length <= MOST_JSON ? indented(text) : null;
  const more = button(
    `Show all (${size(text)})`,
    () => {
      all = true;
      more.remove();
      show();
      pre.focus();
    },
    { class: 'small' },
  );
  const show = () => {
    const shown = formatted && pretty !== null ? pretty : text;
    fill(pre, all ? blocks(shown) : [shown.slice(0, FIRST), h('span', { class: 'cut' }, ' …')]);
  };
  show();
  if (!all) bar.append(more);
  if (pretty !== null) {
    const toggle = button(
      'Format JSON',
      () => {
        formatted = !formatted;
        toggle.setAttribute('aria-pressed', String(formatted));
        show();
      },
      { class: 'small', 'aria-pressed': 'false' },
    );
    bar.append(toggle);
  }
  bar.append(
    copyButton(() => text, what),
    saveButton(() => new Blob([text], { type: 'text/plain' }), what, 'txt'),
  );
  return h('div', { class: 'content-box' }, bar, pre);
}

/**
 * JSON with its structure shown, where a text is an object or a list in one line or so.
 * @param {string} text
 */
function indented(text) {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    const pretty = JSON.stringify(JSON.parse(text), null, 2);
    return pretty === text ? null : pretty;
  } catch {
    return null;
  }
}

/**
 * Bytes that are no text.
 * @param {string} base64
 * @param {string} what
 */
function binaryContent(base64, what) {
  const data = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
  const pre = h(
    'pre',
    { class: 'content digits', tabindex: '0', 'aria-label': what, role: 'group' },
    hex(data, FIRST_HEX),
  );
  const bar = h('div', { class: 'content-bar' }, h('span', { class: 'muted' }, `${bytes(data.length)}, not text`));
  if (data.length > FIRST_HEX) {
    const most = Math.min(data.length, MOST_HEX);
    const more = button(
      most === data.length ? `Show all (${bytes(data.length)})` : `Show the first ${bytes(most)}`,
      () => {
        more.remove();
        fill(pre, hex(data, MOST_HEX));
        pre.focus();
      },
      { class: 'small' },
    );
    bar.append(more);
  }
  bar.append(saveButton(() => new Blob([data], { type: 'application/octet-stream' }), what, 'bin'));
  return h('div', { class: 'content-box' }, bar, pre);
}

/**
 * @param {{body?: string, body_base64?: string}} item
 * @param {string} what
 */
export function bodyContent(item, what) {
  if (item.body_base64 !== undefined) return binaryContent(item.body_base64, what);
  if (!item.body) return h('p', { class: 'muted' }, 'Nothing: it has no bytes.');
  return textContent(item.body, what);
}

/**
 * One line that stands for an item in a table.
 * @param {{body?: string, body_base64?: string}} item
 */
export function bodyBytes(item) {
  return item.body_base64 === undefined ? undefined : Math.floor((item.body_base64.replace(/=+$/, '').length * 3) / 4);
}

/**
 * @param {() => Blob} make
 * @param {string} what
 * @param {string} extension
 */
function saveButton(make, what, extension) {
  return button(
    'Save',
    () => {
      const url = URL.createObjectURL(make());
      const link = h('a', { href: url, download: `${what.toLowerCase().replace(/[^a-z0-9]+/g, '-')}.${extension}` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    },
    { class: 'small', 'aria-label': `Save ${what}` },
  );
}
