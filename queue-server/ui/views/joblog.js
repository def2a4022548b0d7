//! The joblog: what became of the items, in the order in which they ended, newest first, as it goes on.
//!
//! Asked for when the queue changed and not followed by a stream: a browser has six connections for all its tabs.

import { ApiError, outcomes } from '../api.js';
import { stateBadge } from '../badges.js';
import { button, fill, h, setAttribute, setText, time } from '../dom.js';
import { clock, duration, exactly, firstLine, moment, preview } from '../format.js';
import { cell, line, tableOf } from '../tables.js';
import { itemName } from './items.js';

/** Lines kept on the page. */
const MOST = 200;
const ASK = 500;

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
 */
export function joblogView(scope, name) {
  const { store } = scope;
  const { table, body: tbody } = tableOf(
    'Joblog',
    [['Item', 'name'], ['Ended'], ['As'], ['Took', 'number'], ['Worker'], ['Result or error']],
    'joblog',
  );
  table.hidden = true;
  const note = h('p', { class: 'empty muted', role: 'status' }, 'Nothing has ended yet.');
  const status = h('span', { class: 'where' });
  const show = h(
    'select',
    { 'aria-label': 'Show outcomes' },
    ...['all', 'done', 'dead', 'expired', 'cancelled'].map((value) =>
      h('option', { value }, value === 'all' ? 'All outcomes' : value),
    ),
  );
  let following = true;
  const pause = button(
    'Stop following',
    () => {
      following = !following;
      setText(pause, following ? 'Stop following' : 'Follow');
      setAttribute(pause, 'aria-pressed', String(!following));
      if (following) changed = true;
    },
    { 'aria-pressed': 'false' },
  );
  const first = store.queues.get(name);
  let after = Math.max(0, (first ? newest(first.queue) : 0) - MOST);
  let changed = true;
  let busy = false;
  let skipped = 0;

  /** @param {Outcome} outcome */
  const row = (outcome) => {
    const { started, ended, state, exit_code: code } = outcome;
    const said = outcome.error ? firstLine(outcome.error) : preview(outcome.result);
    const made = line(
      itemName(name, outcome),
      cell('Ended', time(ended, clock(Date.parse(ended))), 'when', { title: moment(ended) }),
      cell('As', [stateBadge(state), code ? h('span', { class: 'muted' }, ` exit ${code}`) : null]),
      cell('Took', started === undefined ? '–' : duration(Date.parse(ended) - Date.parse(started)), 'number'),
      cell('Worker', preview(outcome.worker, 60) || '–', 'worker'),
      cell(null, h('span', { class: 'preview' }, said), 'remark'),
    );
    made.dataset.state = state;
    return made;
  };

  const ask = async () => {
    const known = store.queues.get(name);
    if (!known) return;
    const last = newest(known.queue);
    // Faster than anybody reads: the newest are what matters.
    if (last - after > 4 * ASK) {
      skipped += last - MOST - after;
      after = last - MOST;
    }
    let lines;
    try {
      lines = await outcomes(name, after, ASK, scope.signal);
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'outcomes_gone') throw error;
      // Past retention; the detail names what is left.
      after = Number(/after=(\d+)/.exec(error.message)?.[1] ?? last);
      lines = await outcomes(name, after, ASK, scope.signal);
    }
    if (lines.length > 0) {
      after = lines[lines.length - 1].outcome;
      tbody.prepend(...lines.slice(-MOST).reverse().map(row));
      while (tbody.children.length > MOST) tbody.lastElementChild?.remove();
    }
    if (lines.length === ASK) changed = true;
    table.hidden = tbody.children.length === 0;
    note.hidden = tbody.children.length > 0;
    setText(
      status,
      tbody.children.length === 0
        ? ''
        : `The last ${exactly(tbody.children.length)}${skipped > 0 ? `; ${exactly(skipped)} went by too fast` : ''}`,
    );
  };

  const step = async () => {
    if (!changed || !following || busy) return;
    busy = true;
    changed = false;
    try {
      await ask();
    } catch (error) {
      if (scope.signal.aborted) return;
      changed = true;
      setText(status, error instanceof Error ? error.message : String(error));
    } finally {
      busy = false;
    }
  };
  show.addEventListener('change', () => setAttribute(table, 'data-show', show.value));
  let seen = first ? newest(first.queue) : 0;
  scope.onChange((changes) => {
    const known = store.queues.get(name);
    if (!known || (!changes.everything && !changes.queues.has(name))) return;
    const last = newest(known.queue);
    if (last < seen) {
      // The server forgot, or it is another queue of that name.
      after = 0;
      fill(tbody);
    }
    if (last !== seen) changed = true;
    seen = last;
  });
  scope.every(1_000, step);
  step();
  return {
    element: h(
      'div',
      null,
      h('h2', { class: 'unseen' }, 'Joblog'),
      h('div', { class: 'toolbar' }, show, pause, h('span', { class: 'grow' }), status),
      h('div', { class: 'card flush' }, table, note),
    ),
    go: undefined,
  };
}
