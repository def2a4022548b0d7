//! The items of a queue by their state, a page at a time, looked at without taking them.

import { listItems } from '../api.js';
import { cancel } from '../actions.js';
import { stateBadge } from '../badges.js';
import { bodyBytes } from '../content.js';
import { button, fill, h, setText, time } from '../dom.js';
import { ago, bytes, count, duration, exactly, moment, preview, shortId } from '../format.js';
import { go, itemAddress, queueAddress } from '../router.js';

const STATES = /** @type {const} */ (['', 'ready', 'leased', 'delayed', 'dead', 'done', 'expired', 'cancelled']);
const LIMIT = 50;
const LIVE = ['ready', 'leased', 'delayed'];

/**
 * What stands for an item in a table: its end of the id, and the beginning of what it holds.
 * @param {string} queue
 * @param {import('../api.js').Item | import('../api.js').Outcome} item
 */
export function itemName(queue, item) {
  const size = bodyBytes(item);
  return h('th', { role: 'rowheader', scope: 'row', class: 'name' },
    h('a', { href: itemAddress(queue, item.id), class: 'id', title: item.id, 'aria-label': `Item ${shortId(item.id)}` }, shortId(item.id)), ' ',
    h('span', { class: 'preview' }, size === undefined ? preview(item.body) || 'no bytes' : `${bytes(size)}, not text`));
}

/**
 * What there is to say of an item in its state.
 * @param {import('../api.js').Item} item
 */
function remark(item) {
  const now = Date.now();
  switch (item.state) {
    case 'leased': return item.lease ? `${preview(item.lease.worker, 60) || 'a worker'}, ${duration(item.lease.lease_ms)} left` : '';
    case 'delayed': return item.due === undefined ? '' : `due ${Date.parse(item.due) > now ? `in ${duration(Date.parse(item.due) - now)}` : 'now'}${item.error ? ` · ${preview(item.error, 80)}` : ''}`;
    case 'dead': return preview(item.error, 120) || (item.exit_code === undefined ? '' : `exit code ${item.exit_code}`);
    case 'done': return preview(item.result, 120);
    default: return preview(item.error, 120);
  }
}

/**
 * @param {import('../app.js').Scope} scope
 * @param {string} name
 * @param {URLSearchParams} start
 */
export function itemsView(scope, name, start) {
  const { store } = scope;
  const state = h('select', { 'aria-label': 'State' }, ...STATES.map((value) => h('option', { value }, value === '' ? 'All states' : value)));
  const group = h('input', { type: 'search', placeholder: 'Group', 'aria-label': 'Group', autocomplete: 'off' });
  const tbody = h('tbody', { role: 'rowgroup' });
  const note = h('p', { class: 'empty muted', role: 'status' });
  const heads = ['Item', 'State', 'Attempts', 'Enqueued', 'What is known', ''];
  const table = h('table', { class: 'cards', role: 'table' }, h('caption', { class: 'unseen' }, 'Items'),
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, ...heads.map((label) => h('th', { role: 'columnheader', scope: 'col', class: label === 'Item' ? 'name' : label === 'Attempts' ? 'number' : null }, label === '' ? h('span', { class: 'unseen' }, 'Actions') : label)))), tbody);
  const before = button('Previous', () => turn(-1), { 'aria-label': 'Previous page' });
  const next = button('Next', () => turn(1), { 'aria-label': 'Next page' });
  const refresh = button('Refresh', () => load());
  const counts = h('span', { class: 'where', role: 'status' });
  /** @type {(string | undefined)[]} where each page so far began */
  let pages = [undefined];
  /** @type {string | undefined} */
  let following;
  let call = new AbortController();

  const load = async () => {
    call.abort();
    const mine = new AbortController();
    call = mine;
    scope.signal.addEventListener('abort', () => mine.abort());
    try {
      const page = await listItems(name, { state: state.value, group: group.value.trim(), limit: LIMIT, after: pages.at(-1) }, mine.signal);
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
    setText(counts, pages.length > 1 || following ? `Page ${exactly(pages.length)}` : '');
  };

  /** @param {import('../api.js').Item} item */
  const itemRow = (item) => h('tr', { role: 'row' }, itemName(name, item),
    h('td', { role: 'cell', 'data-label': 'State' }, stateBadge(item.state)),
    h('td', { role: 'cell', class: 'number', 'data-label': 'Attempts' }, exactly(item.attempts)),
    h('td', { role: 'cell', class: 'when', 'data-label': 'Enqueued', title: moment(item.enqueued) }, time(item.enqueued, ago(Date.now() - Date.parse(item.enqueued)))),
    h('td', { role: 'cell', class: 'remark' }, remark(item)),
    h('td', { role: 'cell', class: 'row-actions' }, LIVE.includes(item.state) || item.state === 'dead'
      ? button(item.state === 'dead' ? 'Throw away…' : 'Cancel…', () => cancel(name, [item]).then((done) => (done ? load() : undefined)), {
        class: 'small', 'aria-label': `${item.state === 'dead' ? 'Throw away' : 'Cancel'} item ${shortId(item.id)}`,
      }) : null));

  const turn = (/** @type {number} */ by) => {
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
    element: h('div', null, h('h2', { class: 'unseen' }, 'Items'),
      h('div', { class: 'toolbar' }, state, group, refresh, h('span', { class: 'grow' }), h('div', { class: 'pager' }, counts, before, next)),
      h('div', { class: 'card flush' }, table, note)),
    go: take,
  };
}
