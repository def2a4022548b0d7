//! Enqueueing: a text, its lines, or a file, into a queue that may not be there yet.

import * as api from './api.js';
import { button, h, setText } from './dom.js';
import { field, openDialog, tick } from './dialog.js';
import { bytes, counted } from './format.js';
import { say } from './notices.js';
import { parseDuration } from './quantities.js';
import { queueAddress } from './router.js';
import { sendMany, sendOne, sentOf } from './sending.js';

/**
 * @typedef {'one' | 'lines' | 'ndjson'} Form
 * What was typed and is not known to be enqueued, with what was sent of it.
 * @typedef {{values: string[], form: Form, seal: boolean, files: FileList | null,
 *   sent: import('./sending.js').Sent | null}} Draft
 */

const FORMS = /** @type {const} */ ([
  ['one', 'One item', 'The whole text is one item, as it is.'],
  ['lines', 'An item a line', 'Each line that is not empty is an item.'],
  ['ndjson', 'NDJSON', 'Each line is {"body": …}, with key, group, priority, delay_ms or ttl_ms if you like.'],
]);

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
export function isUncertain({ sent }) {
  return sent !== null && (sent.key !== undefined || sent.count > 0);
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
  const file = h('input', { type: 'file' });
  const drop = button(
    'Remove the file',
    () => {
      file.value = '';
      drop.hidden = true;
      file.focus();
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

  /** @type {import('./sending.js').Sent | null} */
  let sent = null;
  const boxes = [name, area, key, group, priority, delay, ttl];
  /** @param {Draft} from */
  const put = (from) => {
    boxes.forEach((box, i) => {
      box.value = from.values[i];
    });
    for (const { radio } of radios) radio.checked = radio.value === from.form;
    file.files = from.files;
    if (from.files === null) file.value = '';
    drop.hidden = !file.files?.length;
    seal.box.checked = from.seal;
    sent = from.sent;
    options.open = boxes.slice(2).some((box) => box.value !== '');
    show();
  };
  const blank = { values: boxes.map((box) => box.value), form, seal: false, files: null, sent: null };
  const kept = h('p', { class: 'note', role: 'status', hidden: true });
  if (draft !== undefined) {
    put(draft);
    const words = isUncertain(draft)
      ? 'This was sent before, and it is not known whether all of it came in. Sent again as it is, nothing is enqueued twice.'
      : 'What you typed before is still here.';
    const afresh = () => {
      put(blank);
      kept.hidden = true;
      area.focus();
    };
    kept.append(words, ' ', button('Start afresh', afresh, { class: 'small' }));
    kept.hidden = false;
  }
  show();

  const element = h(
    'div',
    { class: 'enqueue' },
    kept,
    choose ? [field('Queue', name, 'It is made if there is none of that name.'), list] : null,
    h('fieldset', { class: 'row' }, h('legend', null, 'What the text is'), ...radios.map((each) => each.element)),
    hint,
    field('Items', area),
    field('Or a file', file),
    drop,
    options,
    sealable ? seal.element : null,
    progress,
  );

  /**
   * Sends it all; what is said to be enqueued is on disk.
   * @param {AbortSignal} [signal]
   */
  const send = async (signal) => {
    const target = name.value.trim();
    if (target === '') throw new Error('name the queue');
    const source = file.files?.[0] ?? null;
    if (source === null && area.value === '' && chosen() !== 'one')
      throw new Error('there is nothing to enqueue: type an item or choose a file');
    if (source !== null && area.value !== '')
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
    const body = source ?? new Blob([area.value]);
    if (source !== null && source.size === 0 && chosen() !== 'one') throw new Error('the file is empty');
    const form = chosen();
    const { seal: sealing, ...others } = query;
    sent = sentOf(sent, [target, form, query], source ?? area.value);
    /** @type {import('./sending.js').Call} */
    const call = (piece, { last, idempotencyKey }) => {
      const how = { ndjson: form === 'ndjson', idempotencyKey, signal };
      return api.enqueue(target, piece, { ...others, seal: (last && sealing) || undefined }, how);
    };
    if (form === 'one') await sendOne(sent, body, call);
    else {
      const progressed = (/** @type {number} */ done) => {
        if (body.size > 1024 * 1024) setText(progress, `${bytes(done)} of ${bytes(body.size)}`);
      };
      try {
        await sendMany(sent, body, call, { progress: progressed });
      } catch (error) {
        if (sent.count === 0) throw error;
        const kept = `${counted(sent.count, 'item')} before that are in ${target}`;
        if (signal?.aborted) say(`Stopped: ${kept}.`);
        const words = error instanceof Error ? error.message : String(error);
        throw new Error(`${words}; ${kept}, and sending the same again goes on behind them`);
      }
    }
    const { id } = sent;
    const link = choose && linked ? { href: queueAddress(target), label: 'Open the queue' } : undefined;
    const again = sent.duplicates > 0 ? `, ${counted(sent.duplicates, 'duplicate')} left out` : '';
    say(`${counted(sent.count - sent.duplicates, 'item')} enqueued in ${target}${again}.`, link);
    area.value = '';
    file.value = '';
    drop.hidden = true;
    setText(progress, '');
    sent = null;
    return { queue: target, id };
  };
  /**
   * What is typed here and not known to be enqueued.
   * @returns {Draft | null}
   */
  const keep = () => {
    if (area.value === '' && !file.files?.length && sent?.key === undefined) return null;
    const values = boxes.map((box) => box.value);
    return { values, form: chosen(), seal: seal.box.checked, files: file.files, sent };
  };
  return { element, send, keep, first: choose ? name : area };
}

/**
 * Opens on what the dialog before was closed on, unless a text is given.
 * @param {import('./store.js').Store} store
 * @param {{queue?: string, text?: string, form?: Form}} start
 */
export async function enqueueDialog(store, start) {
  const { queue, text } = start;
  const choose = queue === undefined;
  const names = choose ? [...store.queues.keys()].sort() : [];
  const draft = text === undefined ? drafts.get(queue ?? '') : undefined;
  const fields = enqueueFields({ ...start, choose, names, draft });
  const done = await openDialog({
    title: choose ? 'Enqueue items' : `Enqueue in ${queue}`,
    submit: 'Enqueue',
    wide: true,
    body: [fields.element],
    async act(signal) {
      await fields.send(signal);
    },
    opened() {
      fields.first.focus();
    },
  });
  const left = fields.keep();
  // A copy that was not sent is at hand where it came from; one that may have come in is not to be sent twice.
  if (text === undefined || (left !== null && isUncertain(left))) keepDraft(queue, left);
  return done;
}
