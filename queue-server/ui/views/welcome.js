//! What a server without queues shows: how to put the first item in, here and from a shell.

import { showQueue } from '../api.js';
import { command, serverAddress, workerCommand } from '../command.js';
import { FieldProblem } from '../dialog.js';
import { button, fill, h } from '../dom.js';
import { enqueueFields, isUncertain, keepDraft } from '../enqueue.js';
import { complain, sentence } from '../notices.js';
import { createDialog } from '../create.js';
import { go, queueAddress } from '../router.js';
import { token } from '../session.js';

/** @param {import('../app.js').Scope} scope */
export function welcome(scope) {
  const url = serverAddress();
  const login = token() === null ? '' : '-u ":$MEMQ_TOKEN" ';
  const text = 'first\nsecond\nthird';
  const fields = enqueueFields({ queue: 'tasks', choose: true, text, sealable: false, linked: false });
  scope.signal.addEventListener('abort', () => {
    // The first queue may have come by what was sent here and not answered, or by somebody else while one typed.
    const draft = fields.keep();
    if (draft !== null && (isUncertain(draft) || draft.text !== text || draft.files?.length)) keepDraft(undefined, draft);
  });
  const problem = h('p', { class: 'problem', role: 'alert' });
  const submit = h('button', { type: 'submit', class: 'primary' }, 'Enqueue');
  const form = h(
    'form',
    {
      'aria-label': 'Enqueue the first items',
      novalidate: true,
      async onsubmit(/** @type {Event} */ event) {
        event.preventDefault();
        fill(problem, '');
        submit.disabled = true;
        try {
          const { queue } = await fields.send();
          // Not heard of yet, it would be said not to be there; and it soon is, whatever becomes of this.
          if (!scope.store.queues.has(queue))
            await scope.store.answered(queue, showQueue(queue), (found) => found).catch(() => {});
          go(queueAddress(queue));
        } catch (error) {
          if (error instanceof FieldProblem) return;
          if (error instanceof Error) fill(problem, sentence(error.message));
          else complain(error);
        } finally {
          submit.disabled = false;
        }
      },
    },
    fields.element,
    problem,
    h('div', { class: 'dialog-end' }, submit),
  );
  return h(
    'div',
    { class: 'welcome' },
    h(
      'p',
      { class: 'lead' },
      'A queue holds items; workers lease them one by one and say what became of each. Put the first items in:',
    ),
    h(
      'div',
      { class: 'two' },
      h('section', { class: 'card', 'aria-labelledby': 'first-here' }, h('h2', { id: 'first-here' }, 'Here'), form),
      h(
        'section',
        { class: 'card', 'aria-labelledby': 'first-shell' },
        h('h2', { id: 'first-shell' }, 'From a shell'),
        command(
          'Enqueue three items',
          `printf 'first\\nsecond\\nthird\\n' |\n  curl ${login}--data-binary @- \\\n  '${url}/v1/queues/tasks/items?create=true&lines=true'`,
        ),
        workerCommand('tasks'),
        h(
          'p',
          { class: 'muted' },
          'Or ',
          button('make an empty queue', () => createDialog(scope.store), { class: 'link' }),
          ' with settings of its own. All calls are in ',
          h('a', { href: 'openapi.json' }, 'openapi.json'),
          '.',
        ),
      ),
    ),
  );
}
