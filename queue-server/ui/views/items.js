//! The items of a queue by their state, a page at a time, looked at without taking them.

import { listItems, serverNow } from '../api.js';
import { cancel } from '../actions.js';
import { stateBadge } from '../badges.js';
import { bodyBytes } from '../content.js';
import { button, catchFocus, fill, h, setText } from '../dom.js';
import { bytes, count, duration, exactly, moment, preview, shortId } from '../format.js';
import { go, itemAddress, queueAddress } from '../router.js';
import { age, cell, keepAges, line, nameCell, tableOf } from '../tables.js';

const STATES = /** @type {const} */ (['', 'ready', 'leased', 'delayed', 'dead', 'done', 'expired', 'cancelled']);
const LIMIT = 50;
const ENDED = ['done', 'expired', 'cancelled'];

/**
 * What stands for an item in a table: its end of the id, and the beginning of what it holds.
 * @param {string} queue
 * @param {import('../api.js').Item | import('../api.js').Outcome} item
 */
export function itemName(queue, item) {
  const size = bodyBytes(item);
  const link = {
    href: itemAddress(queue, item.id),
    class: 'id',
    title: item.id,
    'aria-label': `Item ${shortId(item.id)}`,
  };
  const holds = size === undefined ? preview(item.body) || 'no bytes' : `${bytes(size)}, not text`;
  return nameCell(h('a', link, shortId(item.id)), ' ', h('span', { class: 'preview' }, holds));
}

/**
 * What there is to say of an item in its state.
 * @param {import('../api.js').Item} item
 */
function remark(item) {
  const now = serverNow();
  switch (item.state) {
    case 'leased':
      return item.lease ? `${preview(item.lease.worker, 60) || 'a worker'}, ${duration(item.lease.lease_ms)} left` : '';
    case 'delayed':
      return item.due === undefined
        ? ''
        : `due ${Date.parse(item.due) > now ? `in ${duration(Date.parse(item.due) - now)}` : 'now'}${item.error ? ` · ${preview(item.error, 80)}` : ''}`;
    case 'dead':
      return preview(item.error, 120) || (item.exit_code === undefined ? '' : `exit code ${item.exit_code}`);
    case 'done':
      return preview(item.result, 120);
    default:
      return preview(item.error, 120);
  }
}

/**
 * @param {import('../app.js').Scope} scope
 * @param {string} name
 * @param {URLSearchParams} start
 */
export function itemsView(scope, name, start) {
  const { store } = scope;
  const state = h(
    'select',
    { 'aria-label': 'State' },
    ...STATES.map((value) => h('option', { value }, value === '' ? 'All states' : value)),
  );
  const group = h('input', { type: 'search', placeholder: 'Group', 'aria-label': 'Group', autocomplete: 'off' });
  const note = h('p', { class: 'empty muted', role: 'status' });
  const heading = h('h2', { class: 'unseen', tabindex: '-1' }, 'Items');
  const { table, body: tbody } = tableOf('Items', [
    ['Item', 'name'],
    ['State'],
    ['Attempts', 'number'],
    ['Enqueued'],
    ['What is known'],
    [''],
  ]);
  const before = button('Previous', () => turn(-1), { 'aria-label': 'Previous page' });
  const next = button('Next', () => turn(1), { 'aria-label': 'Next page' });
  const refresh = button('Refresh', () => load());
  const counts = h('span', { class: 'where', role: 'status' });
  /** @type {(string | undefined)[]} where each page so far began */
  let pages = [undefined];
  /** @type {string | undefined} */
  let following;
  let call = scope.call();
  /** Whether it was the reader who made the list another one. */
  let acted = false;
  const again = () => {
    acted = true;
    return load();
  };

  const load = async () => {
    const mine = scope.call(call);
    call = mine;
    try {
      const page = await listItems(
        name,
        { state: state.value, group: group.value.trim(), limit: LIMIT, after: pages.at(-1) },
        mine.signal,
      );
      following = page.next;
      fill(tbody, ...page.items.map(itemRow));
      table.hidden = page.items.length === 0;
      note.hidden = page.items.length > 0;
      setText(note, pages.length > 1 ? 'No more items.' : 'No item is like that.');
      stale = false;
    } catch (error) {
      if (mine.signal.aborted) return;
      table.hidden = true;
      note.hidden = false;
      setText(note, error instanceof Error ? error.message : String(error));
    }
    before.disabled = pages.length === 1;
    next.disabled = following === undefined;
    if (acted) catchFocus(heading);
    acted = false;
    setText(counts, pages.length > 1 || following ? `Page ${exactly(pages.length)}` : '');
  };

  /** @param {import('../api.js').Item} item */
  const itemRow = (item) => {
    const what = item.state === 'dead' ? 'Throw away' : 'Cancel';
    const act = button(`${what}…`, () => cancel(name, [item]).then((done) => (done ? again() : undefined)), {
      class: 'small',
      'aria-label': `${what} item ${shortId(item.id)}`,
    });
    return line(
      itemName(name, item),
      cell('State', stateBadge(item.state)),
      cell('Attempts', exactly(item.attempts), 'number'),
      cell('Enqueued', age(item.enqueued), 'when', { title: moment(item.enqueued) }),
      cell(null, remark(item), 'remark'),
      cell(null, ENDED.includes(item.state) ? null : act, 'row-actions'),
    );
  };

  const turn = (/** @type {number} */ by) => {
    acted = true;
    if (by > 0) pages.push(following);
    else pages.pop();
    load();
  };
  const filtered = () => {
    pages = [undefined];
    go(queueAddress(name, 'items', { state: state.value, group: group.value.trim() }), { replace: true });
    load();
  };
  state.addEventListener('change', filtered);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let typing;
  group.addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(filtered, 300);
  });

  let stale = false;
  scope.onChange((changes) => {
    stale ||= changes.everything || changes.queues.has(name);
    labels();
  });
  keepAges(scope, tbody);
  // The first page goes on by itself, as long as nobody is reading or choosing in it.
  scope.every(2_000, () => {
    if (stale && pages.length === 1 && !tbody.matches(':hover') && !tbody.contains(document.activeElement)) load();
  });
  const labels = () => {
    const now = store.queues.get(name)?.queue.counts;
    for (const option of state.options) {
      const known = now?.[/** @type {keyof typeof now} */ (option.value)];
      const label = option.value === '' ? 'All states' : option.value;
      setText(option, known === undefined ? label : `${label} (${count(known)})`);
    }
  };
  const take = (/** @type {URLSearchParams} */ query) => {
    const wanted = query.get('state') ?? '';
    state.value = STATES.some((each) => each === wanted) ? wanted : '';
    group.value = query.get('group') ?? '';
    pages = [undefined];
    load();
  };
  labels();
  take(start);
  return {
    element: h(
      'div',
      null,
      heading,
      h(
        'div',
        { class: 'toolbar' },
        state,
        group,
        refresh,
        h('span', { class: 'grow' }),
        h('div', { class: 'pager' }, counts, before, next),
      ),
      h('div', { class: 'card flush' }, table, note),
    ),
    go: take,
  };
}
