//! The items of a queue by their state, a page at a time, looked at without taking them.

import { HANGS_MS, listItems, serverNow } from '../api.js';
import { cancel } from '../actions.js';
import { badge, stateBadge } from '../badges.js';
import { bodyBytes } from '../content.js';
import { button, catchFocus, fill, h, setText } from '../dom.js';
import { bytes, count, duration, exactly, moment, preview, shortId, tellingLine } from '../format.js';
import { complain } from '../notices.js';
import { go, itemAddress, queueAddress } from '../router.js';
import { age, cell, goneFrom, holdOf, keepAges, line, nameCell, tableOf, takeAway } from '../tables.js';

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
 * Why it failed before; of one that was redriven and not tried since, that is no news.
 * @param {import('../api.js').Item} item
 */
const formerly = (item) => (item.error && item.attempts === 0 ? 'redriven, not tried since' : tellingLine(item.error));

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
        : `due ${Date.parse(item.due) > now ? `in ${duration(Date.parse(item.due) - now)}` : 'now'}${item.error ? ` · ${formerly(item)}` : ''}`;
    case 'dead':
      return tellingLine(item.error) || (item.exit_code === undefined ? '' : `exit code ${item.exit_code}`);
    case 'done':
      return preview(item.result, 120);
    default:
      return formerly(item);
  }
}

/** An item's line, changed in place. */
class ItemRow {
  #state = cell('State', null);
  #attempts = cell('Attempts', null, 'number');
  #remark = cell(null, null, 'remark');
  #actions = cell(null, null, 'row-actions');
  #act;
  #item;
  #was = '';
  /** Nothing can be done to it here any more. */
  over = false;

  /**
   * @param {string} queue
   * @param {import('../api.js').Item} item
   * @param {(now: import('../api.js').Item) => void} act
   */
  constructor(queue, item, act) {
    this.#item = item;
    this.#act = act;
    this.element = line(
      itemName(queue, item),
      this.#state,
      this.#attempts,
      cell('Enqueued', age(item.enqueued), 'when', { title: moment(item.enqueued) }),
      this.#remark,
      this.#actions,
    );
    this.show(item);
    // It came as what it is.
    this.over = false;
    this.element.classList.remove('over');
  }

  /** @param {import('../api.js').Item} item */
  show(item) {
    this.#item = item;
    setText(this.#attempts, exactly(item.attempts));
    setText(this.#remark, remark(item));
    if (item.state === this.#was) return;
    const ended = ENDED.includes(item.state);
    this.over = ended;
    this.element.classList.toggle('over', ended);
    fill(this.#state, stateBadge(item.state));
    this.#clear();
    if (!ended) {
      const what = item.state === 'dead' ? 'Throw away' : 'Cancel';
      const label = `${what} item ${shortId(item.id)}`;
      this.#actions.append(button(`${what}…`, () => this.#act(this.#item), { class: 'small', 'aria-label': label }));
    }
    this.#was = item.state;
  }

  /**
   * It is no longer in the list.
   * @param {string} place where it was: a state, or `here`
   */
  leave(place) {
    if (this.over) return;
    this.over = true;
    this.#was = '';
    this.element.classList.add('over');
    fill(this.#state, badge({ text: `no longer ${place}`, kind: 'plain' }));
    setText(this.#remark, '');
    this.#clear();
  }

  #clear() {
    for (const each of [...this.#actions.children]) takeAway(this.element, each);
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

  const hold = holdOf(tbody);
  /** @type {Map<string, ItemRow>} by item */
  let rows = new Map();
  /** Something new is held up. */
  let waiting = false;

  /** @param {boolean} [onItsOwn] not because the reader asked for it */
  const load = async (onItsOwn = false) => {
    const mine = scope.call(call);
    call = mine;
    const was = stale;
    // What changes from here on may not be in the answer.
    stale = false;
    since = Date.now();
    try {
      const page = await listItems(
        name,
        { state: state.value, group: group.value.trim(), limit: LIMIT, after: pages.at(-1) },
        mine.signal,
      );
      if (onItsOwn && rows.size > 0 && hold.holds()) {
        const gone = goneFrom(rows.keys(), page);
        for (const id of gone) rows.get(id)?.leave(state.value || 'here');
        for (const item of page.items) rows.get(item.id)?.show(item);
        const over = [...rows.values()].filter((row) => row.over).length;
        hold.tell(over, over > 0 || page.items.some(({ id }) => !rows.has(id)));
        waiting = true;
        return;
      }
      waiting = false;
      hold.tell(0);
      following = page.next;
      rows = new Map(page.items.map((item) => [item.id, rowOf(item)]));
      fill(tbody, ...[...rows.values()].map(({ element }) => element));
      table.hidden = page.items.length === 0;
      note.hidden = page.items.length > 0;
      setText(note, pages.length > 1 ? 'No more items.' : 'No item is like that.');
    } catch (error) {
      stale ||= was;
      if (mine.signal.aborted) return;
      table.hidden = true;
      note.hidden = false;
      setText(note, error instanceof Error ? error.message : String(error));
    } finally {
      // Who was overtaken leaves this to who overtook.
      if (mine === call) since = 0;
    }
    before.disabled = pages.length === 1;
    next.disabled = following === undefined;
    if (acted) catchFocus(heading);
    acted = false;
    setText(counts, pages.length > 1 || following ? `Page ${exactly(pages.length)}` : '');
  };

  /** @param {import('../api.js').Item} item */
  const rowOf = (item) =>
    new ItemRow(name, item, (now) =>
      cancel(name, [now])
        .then((done) => (done ? again() : undefined))
        .catch(complain),
    );

  const turn = (/** @type {number} */ by) => {
    // Pressed again before the answer, there is nowhere to go yet.
    if (by > 0 ? following === undefined : pages.length === 1) return;
    acted = true;
    if (by > 0) {
      pages.push(following);
      following = undefined;
    } else following = pages.pop();
    load();
  };
  const filtered = () => {
    pages = [undefined];
    following = undefined;
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
  /** Since when an answer is waited for, or 0: asking on its own would take it away from the reader who asked. */
  let since = 0;
  scope.onChange((changes) => {
    stale ||= changes.everything || changes.queues.has(name);
    labels();
  });
  keepAges(scope, tbody);
  // The first page goes on by itself; where somebody is reading or choosing in it, its lines alone.
  scope.every(2_000, () => {
    const hangs = since > 0 && Date.now() - since >= HANGS_MS;
    if (since > 0 && !hangs) return;
    if ((hangs || stale || (waiting && !hold.holds())) && pages.length === 1) load(true);
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
    following = undefined;
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
      h('div', { class: 'card flush' }, table, hold.hint, note),
    ),
    go: take,
  };
}
