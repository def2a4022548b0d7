//! Commands for a shell, to be copied from the page.

import { BASE } from './api.js';
import { copyButton } from './copy.js';
import { h } from './dom.js';

/** The server's address, as programs are told it. */
export function serverAddress() {
  return BASE.href.replace(/\/$/, '');
}

/**
 * @param {string} title
 * @param {string} line
 */
export function command(title, line) {
  return h(
    'div',
    { class: 'command' },
    h(
      'div',
      { class: 'command-head' },
      h('h3', null, title),
      copyButton(() => line, title),
    ),
    h('pre', { tabindex: '0', role: 'group', 'aria-label': title }, line),
  );
}

/**
 * What works the items of a queue off.
 * @param {string} queue
 */
export function workerCommand(queue) {
  return command(
    'Work them off',
    `memq worker --server ${serverAddress()} --queue ${queue} \\\n  --until empty -- sh -c 'echo "$MEMQ_ITEM"'`,
  );
}
