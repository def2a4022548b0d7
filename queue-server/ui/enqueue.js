//! Enqueueing: a text, its lines, or a file, into a queue that may not be there yet.

import * as api from './api.js';
import { button, h, setText } from './dom.js';
import { checkField, field, openDialog, Remediable, tick } from './dialog.js';
import { bytes, counted } from './format.js';
import { say } from './notices.js';
import { nameProblem, parseDuration } from './quantities.js';
import { queueAddress } from './router.js';
import { isSame, sendMany, sendOne, sendingOf } from './sending.js';

/**
 * @typedef {'one' | 'lines' | 'ndjson'} Form
 * What was typed and is not known to be enqueued, with how it, or what it was before, was sent.
 * @typedef {{values: string[], text: string, form: Form, seal: boolean, files: FileList | null,
 *   sending: import('./sending.js').Sending | null}} Draft
 */

const FORMS = /** @type {const} */ ([
  ['one', 'One item', 'The whole text is one item, as it is.'],
  ['lines', 'An item a line', 'Each line that is not empty is an item.'],
  ['ndjson', 'NDJSON', 'Each line is {"body": …}, with key, group, priority, delay_ms or ttl_ms if you like.'],
]);

const AS_IT_WAS =
  'This was sent before, and it is not known whether all of it came in. Sent again as it is, what is in already is left out.';
const CHANGED =
  'Something else was sent before, and it is not known whether all of it came in. What this has of it may come in twice.';

/**
 * What dialogs were closed on, by their queue; by nothing where the queue is named in the dialog.
 * @type {Map<string, Draft>}
 */
const drafts = new Map();

/**
 * Keeps what was typed for the next dialog of that queue.
 * @param {string | undefined} queue
 * @param {Draft | null} draft
 */
export function keepDraft(queue, draft) {
  if (draft === null) drafts.delete(queue ?? '');
  else drafts.set(queue ?? '', draft);
}

/**
 * Whether the server may have taken some of it.
 * @param {Draft} draft
 */
export function isUncertain({ sending }) {
  return sending?.state === 'uncertain';
}

/**
 * Lets go of what turned out to be enqueued after all.
 * @param {import('./sending.js').Sending} sending
 */
function forget(sending) {
  for (const [queue, draft] of drafts) if (draft.sending === sending) drafts.delete(queue);
}

/**
 * Whether something was sent to a queue and not answered.
 * @param {string} queue
 */
export function hasUncertain(queue) {
  const draft = drafts.get(queue);
  return draft !== undefined && isUncertain(draft);
}

/**
 * The fields of an enqueue, for a dialog or a page.
 * @param {{queue?: string, choose: boolean, names?: string[], text?: string, form?: Form, sealable?: boolean, draft?: Draft,
 *   linked?: boolean}} start `choose`: the queue can be named, and is made if there is none; `draft`: what to go on
 *   with; `linked`: a way to the queue is shown when it is done
 */
export function enqueueFields({
  queue,
  choose,
  names = [],
  text = '',
  form = 'lines',
  sealable = true,
  draft,
  linked = true,
}) {
  const list = h(
    'datalist',
    { id: 'queue-names' },
    ...names.slice(0, 1_000).map((name) => h('option', { value: name })),
  );
  const name = h('input', {
    type: 'text',
    value: queue ?? '',
    autocomplete: 'off',
    spellcheck: 'false',
    maxlength: 128,
    list: list.id,
  });
  const area = h('textarea', { rows: 6, spellcheck: 'false', value: text });
  area.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    area.form?.requestSubmit();
  });
  const file = h('input', { type: 'file' });
  const drop = button(
    'Remove the file',
    () => {
      file.value = '';
      drop.hidden = true;
      file.focus();
      tellKept();
    },
    { class: 'small', hidden: true },
  );
  const radios = FORMS.map(([value, label]) => {
    const radio = h('input', { type: 'radio', name: 'form', value, checked: value === form });
    return { radio, element: h('label', { class: 'tick' }, radio, h('span', null, label)) };
  });
  const hint = h('p', { class: 'hint', 'aria-live': 'polite' });
  const key = h('input', { type: 'text', autocomplete: 'off', maxlength: 255 });
  const group = h('input', { type: 'text', autocomplete: 'off', maxlength: 255 });
  const priority = h('input', { type: 'number', min: -32768, max: 32767, step: 1, placeholder: '0' });
  const delay = h('input', { type: 'text', autocomplete: 'off', placeholder: 'none' });
  const ttl = h('input', { type: 'text', autocomplete: 'off', placeholder: 'never' });
  const seal = tick('Seal the queue with it: no more items will come', { name: 'seal' });
  const progress = h('p', { role: 'status', class: 'progress-words' });
  const chosen = () => /** @type {Form} */ (radios.find(({ radio }) => radio.checked)?.radio.value ?? 'lines');
  const options = h(
    'details',
    null,
    h('summary', null, 'Options'),
    h(
      'div',
      { class: 'grid' },
      field('Priority', priority, 'Higher first; −32768 to 32767.'),
      field('Group', group, 'Groups take turns.'),
      field('Unique key', key, 'A second item with the key is not kept. For one item.'),
      field('Delay', delay, 'Not lent before: 30s, 10m, 1h30m.'),
      field('Expires after', ttl, 'Ends as expired unless a worker took it in time.'),
    ),
  );
  const show = () => {
    const now = chosen();
    setText(hint, FORMS.find(([value]) => value === now)?.[2] ?? '');
    key.disabled = now !== 'one';
    options.hidden = now === 'ndjson';
  };
  for (const { radio } of radios) radio.addEventListener('change', show);
  file.addEventListener('change', () => {
    drop.hidden = !file.files?.length;
  });

  /** @type {import('./sending.js').Sending | null} */
  let sending = null;
  const boxes = [name, key, group, priority, delay, ttl];
  /** What a sending depends on beside its text or file. */
  const what = () => JSON.stringify([choose, chosen(), seal.box.checked, ...boxes.map((box) => box.value)]);
  const source = () => file.files?.[0] ?? area.value;
  /** @param {Draft} from */
  const put = (from) => {
    boxes.forEach((box, i) => {
      box.value = from.values[i];
    });
    area.value = from.text;
    for (const { radio } of radios) radio.checked = radio.value === from.form;
    file.files = from.files;
    if (from.files === null) file.value = '';
    drop.hidden = !file.files?.length;
    seal.box.checked = from.seal;
    sending = from.sending;
    options.open = boxes.slice(1).some((box) => box.value !== '');
    show();
  };
  const blank = { values: boxes.map((box) => box.value), text, form, seal: false, files: null, sending: null };
  let restored = draft !== undefined;
  const keptWords = h('span');
  const afresh = () => {
    restored = false;
    put(blank);
    tellKept();
    area.focus();
  };
  const again = button('Start afresh', afresh, { class: 'small' });
  const kept = h('p', { class: 'note', role: 'status' }, keptWords, ' ', again);
  const tellKept = () => {
    let words = restored ? 'What you typed before is still here.' : '';
    if (sending?.state === 'uncertain') words = isSame(sending, what(), source()) ? AS_IT_WAS : CHANGED;
    setText(keptWords, words);
    kept.hidden = words === '';
  };
  if (draft !== undefined) put(draft);
  show();
  tellKept();

  const fields = h(
    'div',
    { class: 'enqueue' },
    choose ? [field('Queue', name, 'It is made if there is none of that name.'), list] : null,
    h('fieldset', { class: 'row' }, h('legend', null, 'What the text is'), ...radios.map((each) => each.element)),
    hint,
    field('Items', area),
    field('Or a file', file),
    drop,
    options,
    sealable ? seal.element : null,
  );
  fields.addEventListener('input', tellKept);
  fields.addEventListener('change', tellKept);
  const element = h('div', { class: 'enqueue' }, kept, fields, progress);

  /**
   * Sends it all; what is said to be enqueued is on disk.
   * @param {AbortSignal} [signal]
   */
  const send = async (signal) => {
    const target = name.value.trim();
    if (choose) checkField(name, nameProblem(target));
    const from = file.files?.[0] ?? null;
    if (from === null && area.value === '' && chosen() !== 'one')
      throw new Error('there is nothing to enqueue: type an item or choose a file');
    if (from !== null && area.value !== '')
      throw new Error('there are both a text and a file: remove one of them, and enqueue it after the other');
    const duration = (/** @type {HTMLInputElement} */ box, /** @type {string} */ label) => {
      if (box.value.trim() === '' || chosen() === 'ndjson') return undefined;
      const ms = parseDuration(box.value);
      if (Number.isNaN(ms)) throw new Error(`${label} is no duration: write 30s, 10m or 1h30m`);
      return ms;
    };
    const plain = (/** @type {HTMLInputElement} */ box) =>
      chosen() === 'ndjson' || box.value === '' ? undefined : box.value;
    /** @type {api.EnqueueOptions} */
    const query = {
      create: choose || undefined,
      lines: chosen() === 'lines' || undefined,
      priority: plain(priority) === undefined ? undefined : Number(priority.value),
      group: plain(group),
      key: chosen() === 'one' ? plain(key) : undefined,
      delay_ms: duration(delay, 'the delay'),
      ttl_ms: duration(ttl, 'the time to live'),
      seal: (sealable && seal.box.checked) || undefined,
    };
    const body = from ?? new Blob([area.value]);
    if (from !== null && from.size === 0 && chosen() !== 'one') throw new Error('the file is empty');
    const form = chosen();
    const { seal: sealing, ...others } = query;
    /** @type {import('./sending.js').Call} */
    const call = (piece, { last, idempotencyKey }) => {
      const how = { ndjson: form === 'ndjson', idempotencyKey, signal };
      return api.enqueue(target, piece, { ...others, seal: (last && sealing) || undefined }, how);
    };
    const mine = sendingOf(sending, what(), source());
    sending = mine;
    const focused = document.activeElement;
    // What is typed meanwhile would be of no sending.
    fields.inert = true;
    kept.hidden = true;
    let before = 0;
    try {
      const progressed = (/** @type {number} */ done, /** @type {import('./sending.js').Taken} */ { count }) => {
        before = count;
        if (body.size > 1024 * 1024) setText(progress, `${bytes(done)} of ${bytes(body.size)}`);
      };
      const { count, duplicates, id } =
        form === 'one' ? await sendOne(mine, body, call) : await sendMany(mine, body, call, { progress: progressed });
      const link = choose && linked ? { href: queueAddress(target), label: 'Open the queue' } : undefined;
      const leftOut = duplicates > 0 ? `, ${counted(duplicates, 'duplicate')} left out` : '';
      say(`${counted(count - duplicates, 'item')} enqueued in ${target}${leftOut}.`, link);
      forget(mine);
      area.value = '';
      file.value = '';
      drop.hidden = true;
      restored = false;
      sending = null;
      return { queue: target, id };
    } catch (error) {
      if (before === 0) throw error;
      const taken = `${counted(before, 'item')} before that were taken`;
      if (signal?.aborted) say(`Stopped: ${taken}.`);
      const words = error instanceof Error ? error.message : String(error);
      throw new Error(`${words}; ${taken}`);
    } finally {
      setText(progress, '');
      fields.inert = false;
      if (focused instanceof HTMLElement && fields.contains(focused)) focused.focus();
      tellKept();
    }
  };
  /**
   * What is typed here and not known to be enqueued.
   * @returns {Draft | null}
   */
  const keep = () => {
    if (area.value === '' && !file.files?.length) return null;
    // What was sent elsewhere meanwhile is enqueued.
    if (sending?.state === 'done' && isSame(sending, what(), source())) return null;
    const values = boxes.map((box) => box.value);
    return { values, text: area.value, form: chosen(), seal: seal.box.checked, files: file.files, sending };
  };
  return { element, send, keep, target: () => name.value.trim(), first: choose ? name : area };
}

/**
 * Opens on what the dialog before was closed on, unless another text is given.
 * @param {import('./store.js').Store} store
 * @param {{queue?: string, text?: string, form?: Form}} start
 */
export async function enqueueDialog(store, start) {
  const { queue, text } = start;
  const choose = queue === undefined;
  const names = choose ? [...store.queues.keys()].sort() : [];
  const before = drafts.get(queue ?? '');
  const draft = text === undefined || text === before?.text ? before : undefined;
  const fields = enqueueFields({ ...start, choose, names, draft });
  const done = await openDialog({
    title: choose ? 'Enqueue items' : `Enqueue in ${queue}`,
    submit: 'Enqueue',
    wide: true,
    body: [fields.element],
    async act(signal) {
      try {
        await fields.send(signal);
      } catch (error) {
        const target = fields.target();
        if (!(error instanceof api.ApiError) || error.code !== 'queue_sealed') throw error;
        throw new Remediable(`the queue ${target} is sealed: it takes no new items`, {
          label: 'Reopen it',
          act: async () => {
            await store.answered(target, api.change(target, 'reopen'), (queue) => queue);
            return `The queue ${target} takes new items again: enqueue them now.`;
          },
        });
      }
    },
    opened() {
      fields.first.focus();
    },
  });
  const left = fields.keep();
  // A copy that was not sent is at hand where it came from; one that may have come in is not to be forgotten.
  if (text === undefined || draft !== undefined || (left !== null && isUncertain(left))) keepDraft(queue, left);
  return done;
}
