//! The joblog: what became of the items, in the order in which they ended, newest first, as it goes on.
//!
//! Asked for when the queue changed and not followed by a stream: a browser has six connections for all its tabs. The
//! server's list knows no filter by how items ended, so the page looks back through it a piece at a time, and says how
//! far it looked.

import { ApiError, outcomes } from '../api.js';
import { stateBadge } from '../badges.js';
import { button, fill, h, setText, time } from '../dom.js';
import { clock, duration, exactly, moment, preview, tellingLine } from '../format.js';
import { go, queueAddress } from '../router.js';
import { cell, line, tableOf } from '../tables.js';
import { itemName } from './items.js';

/** Lines on the page at first; and how many more each look further shows. */
const PAGE = 200;
const ASK = 500;
/** Outcomes looked at before the reader is asked whether to look further. */
const SCAN = 5_000;
const STATES = ['done', 'dead', 'expired', 'cancelled'];

/** @typedef {import('../api.js').Outcome} Outcome */

/**
 * The cursor of the newest outcome: each end of an item has left one.
 * @param {import('../api.js').Queue} queue
 */
export function newest({ counts, totals }) {
  return counts.done + totals.dead + (totals.item_expired ?? 0) + (totals.cancelled ?? 0);
}

/**
 * @param {import('../app.js').Scope} scope
 * @param {string} name
 * @param {URLSearchParams} start
 */
export function joblogView(scope, name, start) {
  const { store } = scope;
  const { table, body: tbody } = tableOf(
    'Joblog',
    [['Item', 'name'], ['Ended'], ['As'], ['Took', 'number'], ['Worker'], ['Result or error']],
    'joblog',
  );
  const note = h('p', { class: 'empty muted', role: 'status' });
  const status = h('span', { class: 'where' });
  const show = h(
    'select',
    { 'aria-label': 'Show outcomes' },
    h('option', { value: 'all' }, 'All outcomes'),
    ...STATES.map((value) => h('option', { value }, value)),
  );
  const follow = button('Stop following', () => {
    following = !following;
    setText(follow, following ? 'Stop following' : 'Follow');
    if (following) changed = true;
    step();
  });
  const more = button('Look further', () => {
    most += PAGE;
    until = oldest - SCAN;
    changed = true;
    step();
  });
  let following = true;
  /** Something is to be asked for. */
  let changed = true;
  let busy = false;
  /** What is shown lies between these places in the order of outcomes: after the one, up to the other. */
  let oldest = 0;
  let latest = 0;
  /** The first that the server may still have is behind this one. */
  let floor = 0;
  /** Looked back to, before the reader is asked. */
  let until = 0;
  let most = PAGE;
  let skipped = 0;
  let problem = '';
  let seen = 0;
  /** Changes with what is shown: an answer to what was asked for before is too late. */
  let call = scope.call();
  /** How those ended that are shown; nothing: all. */
  const wanted = () => (show.value === 'all' ? '' : show.value);
  const end = () => {
    const known = store.queues.get(name);
    return known ? newest(known.queue) : 0;
  };

  /** @param {Outcome} outcome */
  const row = (outcome) => {
    const { started, ended, state, exit_code: code } = outcome;
    const said = outcome.error ? tellingLine(outcome.error) : preview(outcome.result);
    const made = line(
      itemName(name, outcome),
      cell('Ended', time(ended, clock(Date.parse(ended))), 'when', { title: moment(ended) }),
      cell('As', [stateBadge(state), code ? h('span', { class: 'muted where' }, ` exit ${code}`) : null]),
      cell('Took', started === undefined ? '–' : duration(Date.parse(ended) - Date.parse(started)), 'number'),
      cell('Worker', preview(outcome.worker, 60) || '–', 'worker'),
      cell(null, h('span', { class: 'preview' }, said), 'remark'),
    );
    made.dataset.outcome = String(outcome.outcome);
    return made;
  };
  /** @param {Outcome[]} lines */
  const rows = (lines) => lines.filter(({ state }) => wanted() === '' || state === wanted()).map(row);

  /** Begins at the end again. */
  const restart = () => {
    call = scope.call(call);
    oldest = latest = seen = end();
    floor = 0;
    until = latest - SCAN;
    most = PAGE;
    skipped = 0;
    problem = '';
    changed = true;
    busy = false;
    fill(tbody);
    labels();
    step();
  };

  /**
   * The outcomes behind a place, as far as the server still has them.
   * @param {number} after
   * @param {number} limit
   */
  const ask = async (after, limit) => {
    try {
      return await outcomes(name, after, limit, call.signal);
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'outcomes_gone') throw error;
      // Past retention; the detail names what is left.
      floor = Number(/after=(\d+)/.exec(error.message)?.[1] ?? after + limit);
      return floor < after + limit ? outcomes(name, floor, after + limit - floor, call.signal) : [];
    }
  };

  /** What ended since. */
  const forward = async () => {
    const { signal } = call;
    // Faster than anybody reads: the newest are what matters.
    if (end() - latest > 4 * ASK) {
      skipped += end() - PAGE - latest;
      latest = end() - PAGE;
    }
    const lines = await ask(latest, ASK);
    if (signal.aborted || lines.length === 0) return;
    latest = lines[lines.length - 1].outcome;
    tbody.prepend(...rows(lines).reverse());
    if (tbody.children.length > most) {
      while (tbody.children.length > most) tbody.lastElementChild?.remove();
      const last = /** @type {HTMLElement} */ (tbody.lastElementChild);
      oldest = Number(last.dataset.outcome) - 1;
      until = Math.min(until, oldest);
    }
    if (lines.length === ASK) changed = true;
  };

  /** What ended before, until there is a page of it. */
  const backward = async () => {
    const { signal } = call;
    while (!signal.aborted && oldest > floor && tbody.children.length < most && oldest > until) {
      const limit = Math.min(wanted() === '' ? PAGE : ASK, oldest - floor);
      const lines = (await ask(oldest - limit, limit)).filter(({ outcome }) => outcome <= oldest);
      if (signal.aborted) return;
      oldest -= limit;
      tbody.append(...rows(lines).reverse());
      labels();
    }
  };

  const labels = () => {
    const found = tbody.children.length;
    const all = oldest <= floor;
    const looked = exactly(latest - Math.max(oldest, floor) - skipped);
    const as = wanted();
    table.hidden = found === 0;
    note.hidden = found > 0;
    more.hidden = all;
    setText(more, as === '' ? 'Show more' : 'Look further');
    if (busy && !all && oldest > until) setText(note, 'Looking…');
    else if (as === '') setText(note, 'Nothing has ended yet.');
    else
      setText(
        note,
        all ? `None of the ${looked} that are known ended as ${as}.` : `None of the last ${looked} ended as ${as}.`,
      );
    const words = found === 0 ? '' : `The last ${exactly(found)}${as === '' ? '' : ` ${as}; looked at ${looked}`}`;
    const left = skipped > 0 ? `; ${exactly(skipped)} went by too fast` : '';
    setText(status, problem || `${words}${left}`);
  };

  const step = async () => {
    if (!changed || busy) return;
    const mine = call;
    busy = true;
    changed = false;
    try {
      if (following && end() > latest) await forward();
      if (!mine.signal.aborted) await backward();
      problem = '';
    } catch (error) {
      if (mine.signal.aborted) return;
      changed = true;
      problem = error instanceof Error ? error.message : String(error);
    } finally {
      // Who was overtaken leaves this to who overtook.
      if (mine === call) busy = false;
    }
    if (mine === call) labels();
  };
  show.addEventListener('change', () => {
    go(queueAddress(name, 'joblog', { show: wanted() }), { replace: true });
    restart();
  });
  scope.onChange((changes) => {
    if (!store.queues.has(name) || (!changes.everything && !changes.queues.has(name))) return;
    const last = end();
    // The server forgot, or it is another queue of that name.
    if (last < seen) restart();
    else if (last > seen) changed = true;
    seen = last;
  });
  scope.every(1_000, step);
  const take = (/** @type {URLSearchParams} */ query) => {
    const named = query.get('show') ?? '';
    show.value = STATES.includes(named) ? named : 'all';
    restart();
  };
  take(start);
  return {
    element: h(
      'div',
      null,
      h('h2', { class: 'unseen' }, 'Joblog'),
      h('div', { class: 'toolbar' }, show, follow, h('span', { class: 'grow' }), status),
      h('div', { class: 'card flush' }, table, note),
      h('div', { class: 'more' }, more),
    ),
    go: take,
  };
}
