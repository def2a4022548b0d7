//! Making a queue, with its settings.

import { putQueue } from './api.js';
import { h } from './dom.js';
import { checkField, field, openDialog } from './dialog.js';
import { say } from './notices.js';
import { nameProblem } from './quantities.js';
import { go, queueAddress } from './router.js';
import { settingsFields } from './settings.js';

/** @param {import('./store.js').Store} store */
export function createDialog(store) {
  const name = h('input', { type: 'text', autocomplete: 'off', spellcheck: 'false', maxlength: 128 });
  const settings = settingsFields({});
  openDialog({
    title: 'New queue',
    submit: 'Create queue',
    wide: true,
    body: [
      field('Name', name, 'Letters, digits, “.”, “_” and “-”.'),
      h(
        'details',
        null,
        h('summary', null, 'Settings'),
        h('p', { class: 'hint' }, 'Empty fields keep their default. All can be changed later.'),
        settings.element,
      ),
    ],
    async act() {
      const wanted = name.value.trim();
      const there = store.queues.has(wanted) ? `there is a queue ${wanted} already` : '';
      checkField(name, nameProblem(wanted) || there);
      const { made } = await store.answered(wanted, putQueue(wanted, settings.patch()), ({ queue }) => queue);
      say(made ? `${wanted} is made.` : `${wanted} was there already; its settings were changed.`);
      go(queueAddress(wanted));
    },
    opened() {
      name.focus();
    },
  });
}
