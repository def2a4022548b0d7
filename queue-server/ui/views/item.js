//! One item: what it holds, where it is in its life, each attempt at it with what it printed, and its end.

import { ApiError, itemLog, serverNow, showItem } from '../api.js';
import * as actions from '../actions.js';
import { stateBadge } from '../badges.js';
import { bodyContent, textContent } from '../content.js';
import { copyButton } from '../copy.js';
import { button, fill, h, setText, time } from '../dom.js';
import { enqueueDialog } from '../enqueue.js';
import { ago, bytes, duration, exactly, firstLine, moment, partedError, shortId } from '../format.js';
import { queueAddress } from '../router.js';
import { cell, line, nameCell, tableOf } from '../tables.js';

/** @typedef {import('../api.js').Item} Item */

const ENDS = /** @type {Record<string, string>} */ ({
  ack: 'done',
  nack: 'failed',
  release: 'given back',
  dead: 'dead',
  expired: 'lease ran out',
  revoked: 'cancelled',
});
const FINAL = ['done', 'expired', 'cancelled'];

/**
 * @param {import('../app.js').Scope} scope
 * @param {{queue: string, id: string}} route
 */
export function itemView(scope, { queue: name, id }) {
  const { store } = scope;
  const state = h('span', { class: 'badges', role: 'status' });
  const acts = h('div', { class: 'actions', role: 'group', 'aria-label': 'Act on this item' });
  const facts = h('dl', { class: 'facts wide-facts' });
  const body = h('section', { class: 'card' });
  const ends = h('div', { class: 'stack' });
  const attempts = h('section', { class: 'card flush' });
  const problem = h('p', { class: 'empty', role: 'status' });
  const whole = h(
    'div',
    { class: 'stack', hidden: true },
    acts,
    h('section', { class: 'card' }, h('h2', { class: 'unseen' }, 'What is known'), facts),
    body,
    ends,
    attempts,
  );
  const element = h(
    'section',
    { class: 'page' },
    h(
      'nav',
      { class: 'crumbs', 'aria-label': 'Where you are' },
      h('a', { href: '#/queues' }, 'Queues'),
      ' / ',
      h('a', { href: queueAddress(name) }, name),
      ' / ',
      h('a', { href: queueAddress(name, 'items') }, 'Items'),
    ),
    h('div', { class: 'head' }, h('h1', { class: 'id' }, `Item ${shortId(id)}`), state),
    problem,
    whole,
  );
  /** @type {Item | null} */
  let item = null;
  let shown = '';
  let busy = false;
  let changed = false;
  /** What ticks: the lease that runs, or the wait. */
  const remaining = h('span');
  let until = 0;

  const load = async () => {
    if (busy) return;
    busy = true;
    changed = false;
    try {
      item = await showItem(name, id, scope.signal);
      until = item.lease ? serverNow() + item.lease.lease_ms : Date.parse(item.due ?? '');
      whole.hidden = false;
      fill(problem);
      show(item);
    } catch (error) {
      if (scope.signal.aborted) return;
      const words = error instanceof Error ? error.message : String(error);
      const gone = error instanceof ApiError && error.status === 404;
      fill(problem, `${words[0].toUpperCase()}${words.slice(1)}.`);
      if (gone) {
        whole.hidden = true;
        fill(state);
        item = null;
      }
    } finally {
      busy = false;
    }
  };

  const tick = () => {
    if (item?.lease) setText(remaining, until > serverNow() ? `${duration(until - serverNow())} left` : 'run out');
    else if (item?.due !== undefined)
      setText(remaining, until > serverNow() ? `in ${duration(until - serverNow())}` : 'now');
  };

  /** @param {Item} now */
  const show = (now) => {
    tick();
    // The lease's remaining time alone is no reason to build it anew.
    const words = JSON.stringify({ ...now, lease: now.lease?.started });
    if (words === shown) return;
    const first = shown === '';
    shown = words;
    fill(state, stateBadge(now.state));
    fill(acts, ...buttons(now));
    fill(facts, ...known(now).map(([label, value]) => h('div', null, h('dt', null, label), h('dd', null, value))));
    if (first) fill(body, h('h2', null, 'Body'), bodyContent(now, 'Body'));
    fill(
      ends,
      now.result === undefined
        ? null
        : h(
            'section',
            { class: 'card' },
            h('h2', null, 'Result'),
            now.result === '' ? h('p', { class: 'muted' }, 'Empty.') : textContent(now.result, 'Result'),
          ),
      now.error === undefined
        ? null
        : h(
            'section',
            { class: 'card' },
            h('h2', null, errorHeading(now)),
            textContent(now.error, 'Error'),
          ),
    );
    fill(attempts, h('h2', null, 'Attempts'), attemptTable(now));
  };

  /** @param {Item} now */
  const buttons = (now) => {
    const again = () => enqueueDialog(store, { queue: name, text: now.body, form: 'one' });
    return [
      now.state === 'dead'
        ? button(
            'Redrive',
            async () => {
              if (await actions.redrive(store, name, { ids: [id] })) load();
            },
            { class: 'primary' },
          )
        : null,
      now.body === undefined ? null : button('Enqueue a copy…', again),
      FINAL.includes(now.state)
        ? null
        : button(
            now.state === 'dead' ? 'Throw away…' : 'Cancel item…',
            async () => {
              if (await actions.cancel(name, [now])) load();
            },
            { class: 'danger-quiet' },
          ),
    ];
  };

  /**
   * @param {Item} now
   * @returns {[string, import('../dom.js').Child][]}
   */
  const known = (now) => {
    const most = store.queues.get(name)?.queue.settings.max_attempts;
    /** @type {[string, import('../dom.js').Child][]} */
    const list = [
      ['Id', [h('code', { class: 'id' }, now.id), ' ', copyButton(() => now.id, 'id')]],
      ['Attempts', most === undefined ? exactly(now.attempts) : `${exactly(now.attempts)} of ${exactly(most)}`],
      ['Enqueued', when(now.enqueued)],
    ];
    if (now.lease) {
      list.push(
        ['Worker', now.lease.worker ?? 'did not say'],
        ['Leased', when(now.lease.started)],
        ['Lease', remaining],
      );
    }
    if (now.state === 'delayed') list.push(['Due', remaining]);
    if (now.expires !== undefined) list.push(['Expires', when(now.expires)]);
    if (now.ended !== undefined) list.push(['Ended', when(now.ended)]);
    if (now.exit_code !== undefined) list.push(['Exit code', String(now.exit_code)]);
    if (now.key !== undefined) list.push(['Unique key', now.key]);
    if (now.group !== undefined) list.push(['Group', now.group]);
    if (now.priority) list.push(['Priority', String(now.priority)]);
    return list;
  };

  /** @param {Item} now */
  const attemptTable = (now) => {
    const history = now.history ?? [];
    if (history.length === 0)
      return h('p', { class: 'empty muted' }, now.lease ? 'The first is running.' : 'None has ended.');
    const { table, body } = tableOf(
      'Attempts',
      [
        ['Attempt', 'name'],
        ['Ended as'],
        ['Worker'],
        ['Started'],
        ['Took', 'number'],
        ['Exit code', 'number'],
        ['What it said'],
        ['Output', 'number'],
      ],
      'attempts',
    );
    for (const attempt of history) {
      // The server is asked by number, and gives the last that had it.
      const last = history.findLast((other) => other.attempt === attempt.attempt) === attempt;
      body.append(attemptLine(attempt, last));
    }
    return table;
  };

  /**
   * @param {import('../api.js').Attempt} attempt
   * @param {boolean} last of its number
   */
  const attemptLine = (attempt, last) => {
    const { attempt: nth, started, ended, log_bytes: printed } = attempt;
    // A worker says what a failed command printed with why it failed.
    const within = partedError(attempt.error ?? '').output;
    const size = printed !== undefined && last ? printed : new Blob([within]).size;
    const show =
      size > 0 &&
      button(`Output (${bytes(size)})`, () => output(attempt, printed !== undefined && last ? undefined : within), {
        class: 'small',
        'aria-label': `Output of attempt ${nth}`,
      });
    return line(
      nameCell(exactly(nth)),
      cell('Ended as', ENDS[attempt.as] ?? attempt.as),
      cell('Worker', attempt.worker ?? '–', 'worker'),
      cell('Started', time(started, moment(started)), 'when'),
      cell('Took', duration(Date.parse(ended) - Date.parse(started)), 'number'),
      cell('Exit code', attempt.exit_code ?? '–', 'number'),
      cell('What it said', said(attempt), 'remark'),
      cell(null, show, 'row-actions'),
    );
  };

  /** @param {import('../api.js').Attempt} attempt */
  const said = (attempt) => {
    const text = attempt.error === undefined ? attempt.result : partedError(attempt.error).why;
    if (text === undefined || text === '') return '–';
    const first = h('span', { class: 'preview' }, firstLine(text));
    if (text.length < 100 && !text.includes('\n')) return first;
    const what = attempt.error === undefined ? 'Result' : 'Error';
    return [
      first,
      ' ',
      button(
        'Show all',
        () =>
          actions.showText(`${what} of attempt ${attempt.attempt}`, async (hold) =>
            hold.append(textContent(text, what)),
          ),
        { class: 'small', 'aria-label': `${what} of attempt ${attempt.attempt}` },
      ),
    ];
  };

  /**
   * @param {import('../api.js').Attempt} attempt
   * @param {string} [known] what it printed, where the server need not be asked
   */
  const output = (attempt, known) =>
    actions.showText(`Output of attempt ${attempt.attempt}`, async (hold) => {
      const text = known ?? (await itemLog(name, id, attempt.attempt, scope.signal));
      hold.append(text === '' ? h('p', { class: 'muted' }, 'It printed nothing.') : textContent(text, 'Output'));
    });

  scope.onChange((changes) => {
    changed ||= changes.everything || changes.queues.has(name);
  });
  scope.every(1_000, () => {
    tick();
    if (
      item === null ? changed : !FINAL.includes(item.state) && (changed || (item.lease && until < serverNow() + 1_000))
    )
      load();
  });
  load();
  return { title: `Item ${shortId(id)} of ${name}`, element };
}

/** @param {Item} item */
function errorHeading({ state, attempts }) {
  if (state === 'dead') return 'Why it is dead';
  return attempts === 0 ? 'Last error, before it was redriven' : 'Last error';
}

/** @param {string} at */
function when(at) {
  return [
    time(at, moment(at)),
    h(
      'span',
      { class: 'muted' },
      Date.parse(at) <= serverNow()
        ? ` ${ago(serverNow() - Date.parse(at))}`
        : ` in ${duration(Date.parse(at) - serverNow())}`,
    ),
  ];
}
