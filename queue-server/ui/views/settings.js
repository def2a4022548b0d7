//! A queue's settings, to change: each holds from the moment it is saved.

import { putQueue } from '../api.js';
import { button, fill, h } from '../dom.js';
import { say, sentence } from '../notices.js';
import { settingsFields } from '../settings.js';

/**
 * @param {import('../app.js').Scope} scope
 * @param {string} name
 */
export function settingsView({ store }, name) {
  const problem = h('p', { class: 'problem', role: 'alert' });
  const hold = h('div');
  const save = h('button', { type: 'submit', class: 'primary' }, 'Save settings');
  /** @type {ReturnType<typeof settingsFields>} */
  let fields;
  const show = () => {
    fields = settingsFields(store.queues.get(name)?.queue.settings ?? {});
    fill(hold, fields.element);
  };
  const form = h(
    'form',
    {
      'aria-label': `Settings of ${name}`,
      novalidate: true,
      async onsubmit(/** @type {Event} */ event) {
        event.preventDefault();
        fill(problem, '');
        try {
          const patch = fields.patch();
          if (Object.keys(patch).length === 0) {
            say('Nothing was changed.');
            return;
          }
          save.disabled = true;
          store.queue((await putQueue(name, patch)).queue);
          show();
          say(`Settings of ${name} are saved.`);
        } catch (error) {
          fill(problem, sentence(error instanceof Error ? error.message : String(error)));
        } finally {
          save.disabled = false;
        }
      },
    },
    h('p', { class: 'hint' }, 'Durations as 30s, 10m, 1h30m; sizes as 64 KiB, 1 MiB. An empty field is the default.'),
    hold,
    problem,
    h('div', { class: 'dialog-end' }, button('Undo changes', show), save),
  );
  show();
  return { element: h('section', { class: 'card' }, h('h2', null, 'Settings'), form), go: undefined };
}
