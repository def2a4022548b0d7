//! A queue's settings, to change: each holds from the moment it is saved. What was typed and not saved is still there
//! when the reader comes back, as long as the page is open.

import { putQueue } from '../api.js';
import { button, fill, h, setText } from '../dom.js';
import { counted } from '../format.js';
import { say, sentence } from '../notices.js';
import { settingsFields } from '../settings.js';

/** What was typed and not saved, by queue. @type {Map<string, ReadonlyMap<string, string>>} */
const drafts = new Map();

/**
 * @param {import('../app.js').Scope} scope
 * @param {string} name
 */
export function settingsView({ store }, name) {
  const problem = h('p', { class: 'problem', role: 'alert' });
  const hold = h('div', { oninput: () => keep() });
  const unsaved = h('p', { class: 'muted grow', role: 'status' });
  const save = h('button', { type: 'submit', class: 'primary' }, 'Save settings');
  /** @type {ReturnType<typeof settingsFields>} */
  let fields;
  /** @param {import('../api.js').Settings} [settings] as they were answered, or else are known */
  const show = (settings = store.queues.get(name)?.queue.settings ?? {}) => {
    fields = settingsFields(settings);
    fields.type(drafts.get(name) ?? new Map());
    fill(hold, fields.element);
    keep();
  };
  const keep = () => {
    const typed = fields.typed();
    if (typed.size === 0) drafts.delete(name);
    else drafts.set(name, typed);
    setText(unsaved, typed.size === 0 ? '' : `${counted(typed.size, 'setting')} changed and not saved.`);
  };
  /** @param {import('../api.js').Settings} [settings] */
  const forget = (settings) => {
    drafts.delete(name);
    show(settings);
  };
  const form = h(
    'form',
    {
      'aria-label': `Settings of ${name}`,
      novalidate: true,
      async onsubmit(/** @type {Event} */ event) {
        event.preventDefault();
        fill(problem, '');
        /** @type {Element | null} */
        let focused = null;
        try {
          const patch = fields.patch();
          if (Object.keys(patch).length === 0) {
            say('Nothing was changed.');
            return;
          }
          save.disabled = true;
          // What is typed meanwhile would be neither saved nor kept.
          focused = document.activeElement;
          hold.inert = true;
          const { queue } = await store.answered(name, putQueue(name, patch), (answer) => answer.queue);
          forget(queue.settings);
          say(`Settings of ${name} are saved.`);
        } catch (error) {
          fill(problem, sentence(error instanceof Error ? error.message : String(error)));
        } finally {
          save.disabled = false;
          hold.inert = false;
          if (focused instanceof HTMLElement && hold.contains(focused)) focused.focus();
        }
      },
    },
    h('p', { class: 'hint' }, 'Durations as 30s, 10m, 1h30m; sizes as 64 KiB, 1 MiB. An empty field is the default.'),
    hold,
    problem,
    h('div', { class: 'dialog-end' }, unsaved, button('Undo changes', () => forget()), save),
  );
  show();
  return { element: h('section', { class: 'card' }, h('h2', null, 'Settings'), form), go: undefined };
}
