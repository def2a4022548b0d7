//! A queue at a glance: its depth and rates over time, who holds what, and the limits it is near.

import { listItems } from '../api.js';
import { cancel } from '../actions.js';
import { workerCommand } from '../command.js';
import { Chart, choiceOf, depthData, describing, rateData, ratesNow, unitOf } from '../charts.js';
import { button, fill, h, setText } from '../dom.js';
import { bytes, count, counted, duration, exactly, preview, shortId } from '../format.js';
import { complain } from '../notices.js';
import { settingAt } from '../patch.js';
import { queueAddress } from '../router.js';
import { GROUPS, written } from '../settings.js';
import { cell, goneFrom, holdOf, line, tableOf, takeAway } from '../tables.js';
import { itemName } from './items.js';

const SPANS = /** @type {const} */ ([
  ['120000', '2 min'],
  ['600000', '10 min'],
  ['3600000', '1 h'],
]);
const MOST_HELD = 100;

/**
 * @param {import('../app.js').Scope} scope
 * @param {string} name
 */
export function overviewView(scope, name) {
  const { store } = scope;
  let span = 120_000;
  const depthLines = [
    { label: 'Ready', color: 'c-ready', fill: true },
    { label: 'Leased', color: 'c-leased' },
    { label: 'Delayed', color: 'c-delayed' },
    { label: 'Dead', color: 'c-dead' },
  ];
  const rateLines = [
    { label: 'In', color: 'c-ready' },
    { label: 'Done', color: 'c-done', fill: true },
    { label: 'Failed', color: 'c-dead' },
  ];
  const depth = new Chart(
    {
      title: 'Items',
      whole: true,
      lines: depthLines,
      unit: unitOf.depth,
      describe: describing(
        depthLines.map((l) => l.label),
        unitOf.depth,
      ),
    },
    scope.signal,
  );
  const rates = new Chart(
    {
      title: 'Per second',
      hint: 'now: mean of 30 s',
      lines: rateLines,
      unit: unitOf.rate,
      describe: describing(
        rateLines.map((l) => l.label),
        unitOf.rate,
      ),
    },
    scope.signal,
  );
  const draw = () => {
    const known = store.queues.get(name);
    if (!known) return;
    const now = Date.now();
    depth.show(depthData(known.history, now, span));
    rates.show(rateData(known.history, now, span), ratesNow(known.history, now));
  };
  const spans = choiceOf('Time shown', SPANS, '120000', (chosen) => {
    span = Number(chosen);
    draw();
  });
  const held = heldItems(scope, name);
  const figures = h('div', { class: 'two' });
  const facts = () => {
    const known = store.queues.get(name);
    if (known) fill(figures, limits(known.queue), totals(known.queue));
  };
  scope.every(1_000, draw);
  let stale = false;
  scope.onChange((changes) => {
    stale ||= changes.everything || changes.queues.has(name);
  });
  scope.every(1_000, () => {
    if (!stale) return;
    stale = false;
    facts();
  });
  facts();
  // The chart wants to know how wide it is.
  requestAnimationFrame(draw);
  return {
    element: h(
      'div',
      null,
      h(
        'div',
        { class: 'part-head' },
        h('h2', null, 'Over time'),
        h('span', { class: 'hint' }, 'as this page saw it'),
        h('span', { class: 'grow' }),
        spans,
      ),
      h('div', { class: 'two charts' }, depth.element, rates.element),
      held,
      figures,
    ),
    go: undefined,
  };
}

/**
 * Who holds what, for how long.
 * @param {import('../app.js').Scope} scope
 * @param {string} name
 */
function heldItems(scope, name) {
  const { store } = scope;
  const note = h('p', { class: 'muted' }, '');
  const idle = h('div', { class: 'idle', hidden: true }, workerCommand(name));
  const { table, body: tbody } = tableOf('Leased items', [
    ['Item', 'name'],
    ['Worker'],
    ['Attempt', 'number'],
    ['Held for', 'number'],
    ['Lease left', 'number'],
    [''],
  ]);
  /** @type {Map<string, HeldRow>} by item */
  let rows = new Map();
  const hold = holdOf(tbody);
  let asked = 0;
  let busy = false;
  const tick = () => {
    const now = Date.now();
    for (const row of rows.values()) row.tick(now);
  };
  /** @param {import('../api.js').Item} item */
  const rowOf = (item) =>
    new HeldRow(name, item, () =>
      cancel(name, [item])
        .then((done) => (done ? load() : undefined))
        .catch(complain),
    );
  const load = async () => {
    const known = store.queues.get(name);
    if (!known || busy) return;
    const { leased, ready } = known.queue.counts;
    // Who has items and no worker may not know how to come by one.
    idle.hidden = leased > 0 || ready === 0 || known.queue.paused;
    busy = true;
    asked = Date.now();
    try {
      const answer =
        leased === 0 ? { items: [] } : await listItems(name, { state: 'leased', limit: MOST_HELD }, scope.signal);
      const items = answer.items.filter((item) => item.lease);
      const now = Date.now();
      const was = rows;
      // Another attempt at an item is another holding of it.
      const same = (/** @type {import('../api.js').Item} */ item) => was.get(item.id)?.isOf(item) ?? false;
      if (was.size > 0 && hold.holds()) {
        for (const id of goneFrom(was.keys(), answer)) was.get(id)?.end();
        for (const item of items) {
          if (same(item)) was.get(item.id)?.show(item, now);
          else was.get(item.id)?.end();
        }
        const ended = [...was.values()].filter((row) => row.over).length;
        hold.tell(ended, ended > 0 || items.some((item) => !was.has(item.id)));
        return;
      }
      rows = new Map();
      for (const item of items) {
        const before = was.get(item.id);
        const row = before && !before.over && same(item) ? before : rowOf(item);
        row.show(item, now);
        rows.set(item.id, row);
      }
      const sorted = [...rows.values()].sort((a, b) => a.started - b.started);
      fill(tbody, ...sorted.map(({ element }) => element));
      hold.tell(0);
      table.hidden = sorted.length === 0;
      const rest = leased > sorted.length && sorted.length === MOST_HELD;
      setText(
        note,
        rest
          ? `The first ${sorted.length} of ${counted(leased, 'leased item')}, the longest held of them first.`
          : sorted.length === 0
            ? 'No item is leased.'
            : '',
      );
    } catch (error) {
      if (!scope.signal.aborted) setText(note, error instanceof Error ? error.message : '');
    } finally {
      busy = false;
      tick();
    }
  };
  let changed = false;
  scope.onChange((changes) => {
    changed ||= changes.everything || changes.queues.has(name);
  });
  let held = false;
  scope.every(1_000, () => {
    // A lease is extended without the queue changing. What was held up comes once nothing holds it any more.
    const due = changed || (held && !hold.holds()) || Date.now() - asked > 5_000;
    if (due && !busy) {
      changed = false;
      held = hold.holds();
      load();
    }
    tick();
  });
  load().catch(complain);
  return h(
    'section',
    { class: 'held' },
    h(
      'div',
      { class: 'part-head' },
      h('h2', null, 'In progress'),
      h('span', { class: 'grow' }),
      h('a', { href: queueAddress(name, 'items', { state: 'leased' }) }, 'All leased items'),
    ),
    h('div', { class: 'card flush' }, table, hold.hint, note, idle),
  );
}

/** An item in somebody's hands: its line, changed in place. */
class HeldRow {
  #lease = '';
  #ends = 0;
  #worker = cell('Worker', null, 'worker');
  #since = cell('Held for', null, 'number');
  #left = cell('Lease left', null, 'number');
  #act;
  #attempt = 0;
  /** When it was taken, by the reader's clock. */
  started = 0;
  /** It is in these hands no more. */
  over = false;

  /**
   * @param {string} queue
   * @param {import('../api.js').Item} item
   * @param {() => void} act
   */
  constructor(queue, item, act) {
    this.#attempt = item.attempts;
    this.#lease = item.lease?.started ?? '';
    this.#act = button('Cancel…', act, { class: 'small', 'aria-label': `Cancel item ${shortId(item.id)}` });
    this.element = line(
      itemName(queue, item),
      this.#worker,
      cell('Attempt', exactly(item.attempts), 'number'),
      this.#since,
      this.#left,
      cell(null, this.#act, 'row-actions'),
    );
  }

  /** @param {import('../api.js').Item} item */
  isOf(item) {
    return item.attempts === this.#attempt && item.lease?.started === this.#lease;
  }

  /**
   * @param {import('../api.js').Item} item
   * @param {number} now
   */
  show({ lease }, now) {
    if (!lease || this.over) return;
    // By the server's clock a lease has so long to go; the reader's clock may be another.
    this.#ends = now + lease.lease_ms;
    this.started = this.#ends - (Date.parse(lease.lease_expires) - Date.parse(lease.started));
    setText(this.#worker, preview(lease.worker, 80) || 'did not say');
  }

  /** @param {number} now */
  tick(now) {
    if (this.over) return;
    setText(this.#since, duration(now - this.started));
    setText(this.#left, this.#ends <= now ? 'run out' : duration(this.#ends - now));
  }

  end() {
    if (this.over) return;
    this.over = true;
    this.element.classList.add('over');
    setText(this.#since, '–');
    setText(this.#left, 'ended');
    takeAway(this.element, this.#act);
  }
}

/** @param {import('../api.js').Queue} queue */
function limits(queue) {
  const { settings, counts } = queue;
  const bounds = /** @type {const} */ ([
    ['max_leased', 'Leased at once', counts.leased, count],
    ['max_items', 'Items held', counts.ready + counts.leased + counts.delayed + counts.dead, count],
  ]);
  const set = bounds
    .filter(([key]) => settings[key] !== undefined)
    .map(([key, label, now, words]) => {
      const full = now >= settings[key];
      return h(
        'div',
        { class: 'bound' },
        h(
          'div',
          { class: 'bound-head' },
          h('span', null, label),
          h(
            'span',
            { class: full ? 'bad-text' : null },
            `${words(now)} of ${words(settings[key])}${full ? ', reached' : ''}`,
          ),
        ),
        h('progress', { max: Math.max(1, settings[key]), value: Math.min(now, settings[key]), 'aria-label': label }),
      );
    });
  const facts = GROUPS.flatMap(([, members]) =>
    members.filter(([path]) => path !== 'burst' || settings.rate_per_s !== undefined).map(([path, label, kind, none]) => {
      const value = settingAt(settings, path);
      const words =
        value === undefined
          ? none
          : kind === 'bytes'
            ? bytes(value)
            : kind === 'number'
              ? exactly(value)
              : written(kind, value);
      return { label, words, plain: words === none };
    }),
  );
  return h(
    'section',
    { class: 'card' },
    h(
      'div',
      { class: 'part-head' },
      h('h2', null, 'Settings and limits'),
      h('span', { class: 'grow' }),
      h('a', { href: queueAddress(queue.name, 'settings') }, 'Change'),
    ),
    ...set,
    h(
      'dl',
      { class: 'facts' },
      ...facts.map(({ label, words, plain }) =>
        h('div', null, h('dt', null, label), h('dd', { 'data-plain': plain }, words)),
      ),
    ),
  );
}

/** @param {import('../api.js').Queue} queue */
function totals({ totals: sums, handling }) {
  const facts = [
    ['Enqueued', sums.enqueued],
    ['Duplicates left out', sums.duplicates ?? 0],
    ['Leases given', sums.leased],
    ['Acknowledged', sums.acked],
    ['Failed attempts', sums.nacked],
    ['Given back', sums.released],
    ['Leases run out', sums.lease_expired],
    ['Died', sums.dead],
    ['Redriven', sums.redriven ?? 0],
    ['Cancelled', sums.cancelled ?? 0],
    ['Expired', sums.item_expired ?? 0],
    ['Purged', sums.purged],
    ['Taken by the MemQ API', sums.taken],
  ];
  const times =
    handling?.mean_ms === undefined
      ? []
      : [
          ['An attempt takes, mean', duration(handling.mean_ms)],
          ['Nineteen of twenty take at most', duration(handling.p95_ms)],
        ];
  const running =
    handling?.running_mean_age_ms === undefined
      ? []
      : [['Mean age of what runs', duration(handling.running_mean_age_ms)]];
  return h(
    'section',
    { class: 'card' },
    h('div', { class: 'part-head' }, h('h2', null, 'Since it was made')),
    h(
      'dl',
      { class: 'facts' },
      ...[...facts.map(([label, n]) => [label, exactly(Number(n))]), ...times, ...running].map(([label, value]) =>
        h('div', null, h('dt', null, label), h('dd', null, value)),
      ),
    ),
  );
}
