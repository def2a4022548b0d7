//! Copying a text. Pages without TLS have no clipboard of their own, so there is the old way, too.

import { button, h, setText } from './dom.js';

/** @param {string} text */
async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = h('textarea', { class: 'unseen', 'aria-hidden': 'true' });
  area.value = text;
  // Inside a dialog nothing outside it can be selected.
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

/**
 * A button that copies.
 * @param {() => string} text
 * @param {string} what
 */
export function copyButton(text, what) {
  const label = 'Copy';
  const made = button(
    label,
    async () => {
      try {
        await copy(text());
        setText(made, 'Copied');
      } catch {
        setText(made, 'Not allowed');
      }
      setTimeout(() => setText(made, label), 2_000);
    },
    { class: 'small', 'aria-label': `Copy ${what}` },
  );
  return made;
}
