//! All queues: how they are now, found, sorted, a page at a time.

import { button, catchFocus, fill, h, setAttribute, setText } from '../dom.js';
import { badge, queueBadges } from '../badges.js';
import { Spark } from '../charts.js';
import { createDialog } from '../create.js';
import { enqueueDialog } from '../enqueue.js';
import { count, duration, exactly, rate } from '../format.js';
import { go, queueAddress, queuesAddress } from '../router.js';
import { enqueuedPerSecond, endedPerSecond, oldestReady } from '../store.js';
import { cell, line, nameCell, tableOf } from '../tables.js';
import { welcome } from './welcome.js';

/** @typedef {import('../store.js').Known} Known */

/** @typedef {{key: string, label: string, title?: string, number: boolean, sort: (known: Known, now: number) => number | string,
 *   show?: (known: Known, now: number) => string, ticks?: boolean}} Column */

/** @type {Column[]} */
const COLUMNS = [
  { key: 'name', label: 'Queue', number: false, sort: (k) => k.queue.name },
  {
    key: 'ready',
    label: 'Ready',
    number: true,
    sort: (k) => k.queue.counts.ready,
    show: (k) => count(k.queue.counts.ready),
  },
  {
    key: 'leased',
    label: 'Leased',
    number: true,
    sort: (k) => k.queue.counts.leased,
    show: (k) => count(k.queue.counts.leased),
  },
  {
    key: 'delayed',
    label: 'Delayed',
    number: true,
    sort: (k) => k.queue.counts.delayed,
    show: (k) => count(k.queue.counts.delayed),
  },
  {
    key: 'dead',
    label: 'Dead',
    number: true,
    sort: (k) => k.queue.counts.dead,
    show: (k) => count(k.queue.counts.dead),
  },
  {
    key: 'done',
    label: 'Done',
    number: true,
    sort: (k) => k.queue.counts.done,
    show: (k) => count(k.queue.counts.done),
  },
  {
    key: 'in',
    label: 'In/s',
    title: 'Items that came in a second, mean of 30 s',
    number: true,
    ticks: true,
    sort: (k, now) => enqueuedPerSecond(k, now) ?? 0,
    show: (k, now) => rate(enqueuedPerSecond(k, now)),
  },
  {
    key: 'out',
    label: 'Out/s',
    title: 'Items that were done or died a second, mean of 30 s',
    number: true,
    ticks: true,
    sort: (k, now) => endedPerSecond(k, now) ?? 0,
    show: (k, now) => rate(endedPerSecond(k, now)),
  },
  {
    key: 'oldest',
    label: 'Oldest',
    title: 'How long the oldest ready item has been there',
    number: true,
    ticks: true,
    sort: (k, now) => oldestReady(k, now) ?? -1,
    show: (k, now) => duration(oldestReady(k, now)),
  },
];

/** @type {Record<string, [string, (queue: import('../api.js').Queue) => boolean]>} */
const FILTERS = {
  '': ['All queues', () => true],
  work: ['With work left', (q) => q.unfinished > 0],
  dead: ['With dead letters', (q) => q.counts.dead > 0],
  paused: ['Paused', (q) => q.paused],
  sealed: ['Sealed', (q) => q.sealed],
  drained: ['Drained', (q) => q.drained],
};

const PAGE_SIZES = ['50', '100', '250'];

/** One queue's line, changed in place. */
class Row {
  #name = h('a', null);
  #badges = h('span', { class: 'badges' });
  #shown = '';
  /** @type {[Column, HTMLElement][]} */
  #cells = [];
  #spark = new Spark();

  /** @param {string} name */
  constructor(name) {
    setText(this.#name, name);
    this.#name.href = queueAddress(name);
    for (const column of COLUMNS.filter(({ show }) => show)) {
      this.#cells.push([column, cell(column.label, null, 'number', { 'data-key': column.key })]);
    }
    const numbers = this.#cells.map(([, made]) => made);
    this.element = line(
      nameCell(this.#name, this.#badges),
      ...numbers,
      cell('Unfinished, 2 min', this.#spark.element, 'trend'),
    );
  }

  /**
   * @param {Known} known
   * @param {number} now
   * @param {boolean} trend also what changes with time alone, and the line
   */
  show(known, now, trend) {
    const { counts } = known.queue;
    for (const [column, made] of this.#cells) {
      setText(made, column.show?.(known, now) ?? '');
      const value = counts[/** @type {keyof typeof counts} */ (column.key)];
      setAttribute(made, 'data-zero', value === 0 ? '' : null);
      setAttribute(made, 'title', value !== undefined && value >= 1_000_000 ? exactly(value) : null);
    }
    const badges = queueBadges(known.queue);
    const words = badges.map((each) => each.text).join('\n');
    if (words !== this.#shown) {
      this.#shown = words;
      fill(this.#badges, ...badges.map(badge));
    }
    if (trend) this.#spark.show(known.history, now);
  }
}

/**
 * @param {import('../app.js').Scope} scope
 * @param {{query: URLSearchParams}} route
 */
export function queuesView(scope, route) {
  const { store } = scope;
  const body = h('div');
  const element = h(
    'section',
    { class: 'page' },
    h(
      'div',
      { class: 'head' },
      h('h1', null, 'Queues'),
      h(
        'div',
        { class: 'actions' },
        button('New queue', () => createDialog(store)),
        button('Enqueue items', () => enqueueDialog(store, {}), { class: 'primary' }),
      ),
    ),
    body,
  );
  /** @type {'loading' | 'welcome' | 'list' | ''} */
  let mode = '';
  /** @type {import('../app.js').Scope | null} */
  let inner = null;
  /** @type {((route: {query: URLSearchParams}) => void) | undefined} */
  let goList;
  let { query } = route;
  const update = () => {
    const next = !store.loaded ? 'loading' : store.queues.size === 0 ? 'welcome' : 'list';
    if (next === mode) return;
    mode = next;
    inner?.end();
    inner = scope.inner();
    goList = undefined;
    if (next === 'loading') fill(body, h('p', { class: 'empty muted' }, 'Connecting to the server…'));
    else if (next === 'welcome') fill(body, welcome(inner));
    else {
      const list = queueList(inner, query);
      goList = list.go;
      fill(body, list.element);
    }
  };
  scope.onChange(update);
  update();
  return {
    title: 'Queues',
    element,
    go(/** @type {{query: URLSearchParams}} */ to) {
      query = to.query;
      goList?.(to);
    },
  };
}

/**
 * @param {import('../app.js').Scope} scope
 * @param {URLSearchParams} start
 */
function queueList(scope, start) {
  const { store } = scope;
  /** @type {Map<string, Row>} */
  const rows = new Map();
  /** @type {string[]} */
  let shown = [];
  let found = 0;
  let state = read(start);
  let acted = false;

  const tiles = summary(scope);
  const search = h('input', {
    type: 'search',
    placeholder: 'Find a queue',
    'aria-label': 'Find a queue',
    autocomplete: 'off',
    spellcheck: 'false',
  });
  const filter = h(
    'select',
    { 'aria-label': 'Show' },
    ...Object.entries(FILTERS).map(([value, [label]]) => h('option', { value }, label)),
  );
  const sorting = h(
    'select',
    { 'aria-label': 'Sort by', class: 'narrow-only' },
    ...COLUMNS.map(({ key, label }) => h('option', { value: key }, `Sort: ${label}`)),
  );
  const size = h(
    'select',
    { 'aria-label': 'Queues on a page' },
    ...PAGE_SIZES.map((value) => h('option', { value }, `${value} a page`)),
  );
  const sorters = COLUMNS.map((column) => {
    const act = () => set({ sort: column.key, down: state.sort === column.key ? !state.down : column.number, page: 0 });
    const made = button(column.label, act, { class: 'sort', title: column.title });
    return /** @type {const} */ ([made, column.number ? 'number' : 'name']);
  });
  const { table, body: tbody, heads } = tableOf('Queues', [...sorters, ['Unfinished, 2 min', 'trend']], 'queues');
  const before = button('Previous', () => set({ page: state.page - 1 }), { 'aria-label': 'Previous page' });
  const next = button('Next', () => set({ page: state.page + 1 }), { 'aria-label': 'Next page' });
  const where = h('span', { role: 'status', class: 'where' });
  const none = h('p', { class: 'empty muted', hidden: true }, 'No queue is like that.');

  search.addEventListener('input', () => set({ find: search.value, page: 0 }));
  filter.addEventListener('change', () => set({ show: filter.value, page: 0 }));
  sorting.addEventListener('change', () =>
    set({ sort: sorting.value, down: COLUMNS.find((c) => c.key === sorting.value)?.number ?? false, page: 0 }),
  );
  size.addEventListener('change', () => set({ size: Number(size.value), page: 0 }));

  /** @param {Partial<ReturnType<typeof read>>} change */
  function set(change) {
    state = { ...state, ...change };
    acted = true;
    go(queuesAddress(write(state)), { replace: true });
    controls();
    arrange();
  }

  function controls() {
    if (search.value !== state.find) search.value = state.find;
    filter.value = state.show;
    sorting.value = state.sort;
    size.value = String(state.size);
    COLUMNS.forEach((column, i) => {
      const way = state.down ? 'descending' : 'ascending';
      setAttribute(heads[i], 'aria-sort', column.key === state.sort ? way : null);
    });
  }

  /** Which queues are shown, and in which order. */
  function arrange() {
    const now = Date.now();
    const needle = state.find.toLowerCase();
    const [, wanted] = FILTERS[state.show];
    const column = COLUMNS.find(({ key }) => key === state.sort) ?? COLUMNS[0];
    const keyed = [];
    for (const [name, known] of store.queues) {
      if (wanted(known.queue) && name.toLowerCase().includes(needle))
        keyed.push({ name, value: column.sort(known, now) });
    }
    const way = state.down ? -1 : 1;
    keyed.sort((a, b) => (a.value < b.value ? -way : a.value > b.value ? way : a.name < b.name ? -1 : 1));
    found = keyed.length;
    const last = Math.max(0, Math.ceil(found / state.size) - 1);
    if (state.page > last) state.page = last;
    shown = keyed.slice(state.page * state.size, (state.page + 1) * state.size).map(({ name }) => name);
    const wantedNames = new Set(shown);
    for (const [name, row] of rows) {
      if (wantedNames.has(name)) continue;
      row.element.remove();
      rows.delete(name);
    }
    shown.forEach((name, i) => {
      let row = rows.get(name);
      if (row === undefined) {
        row = new Row(name);
        rows.set(name, row);
        paint(name, now, true);
      }
      // Moving what stands where it should would take the focus from it.
      if (tbody.children[i] !== row.element) tbody.insertBefore(row.element, tbody.children[i] ?? null);
    });
    const first = state.page * state.size;
    setText(
      where,
      found === 0 ? 'None' : `${exactly(first + 1)}–${exactly(first + shown.length)} of ${exactly(found)}`,
    );
    before.disabled = state.page === 0;
    next.disabled = state.page >= last;
    if (acted) catchFocus(next.disabled ? (before.disabled ? search : before) : next);
    acted = false;
    none.hidden = found > 0;
    table.hidden = found === 0;
  }

  /**
   * @param {string} name
   * @param {number} now
   * @param {boolean} trend
   */
  function paint(name, now, trend) {
    const known = store.queues.get(name);
    if (known) rows.get(name)?.show(known, now, trend);
  }

  // A line must not move away from under the pointer or the focus.
  const held = () => tbody.matches(':hover') || tbody.contains(document.activeElement);

  scope.onChange((changes) => {
    const now = Date.now();
    let arranged = changes.everything;
    for (const name of changes.queues) {
      if (!store.queues.has(name)) arranged ||= rows.has(name);
      else if (!rows.has(name)) arranged ||= shown.length < state.size && !held();
      else paint(name, now, false);
    }
    if (arranged) arrange();
  });
  // What changes with time alone is painted once a second, a quarter of the lines at a time.
  let quarter = 0;
  scope.every(250, () => {
    quarter = (quarter + 1) % 4;
    const now = Date.now();
    if (quarter === 0 && !held()) arrange();
    if (quarter === 1) tiles.show(now);
    shown.forEach((name, i) => i % 4 === quarter && paint(name, now, true));
  });
  controls();
  arrange();
  tiles.show(Date.now());
  return {
    element: h(
      'div',
      null,
      tiles.element,
      h(
        'div',
        { class: 'toolbar', role: 'search' },
        search,
        filter,
        sorting,
        h('span', { class: 'grow' }),
        h('div', { class: 'pager' }, where, size, before, next),
      ),
      h('div', { class: 'card flush' }, table, none),
    ),
    go(/** @type {{query: URLSearchParams}} */ { query }) {
      state = read(query);
      controls();
      arrange();
    },
  };
}

/** @param {URLSearchParams} query */
function read(query) {
  const sort = query.get('sort') ?? 'name';
  const column = COLUMNS.find(({ key }) => key === sort) ?? COLUMNS[0];
  const size = query.get('size') ?? PAGE_SIZES[0];
  return {
    find: query.get('find') ?? '',
    show: Object.hasOwn(FILTERS, query.get('show') ?? '') ? (query.get('show') ?? '') : '',
    sort: column.key,
    down: query.has('down') ? query.get('down') === 'true' : column.number,
    page: Math.max(0, Math.trunc(Number(query.get('page') ?? 1)) - 1 || 0),
    size: Number(PAGE_SIZES.includes(size) ? size : PAGE_SIZES[0]),
  };
}

/** @param {ReturnType<typeof read>} state */
function write({ find, show, sort, down, page, size }) {
  const plain = COLUMNS.find(({ key }) => key === sort)?.number ?? false;
  return {
    find,
    show,
    sort: sort === 'name' ? undefined : sort,
    down: down === plain ? undefined : String(down),
    page: page === 0 ? undefined : String(page + 1),
    size: String(size) === PAGE_SIZES[0] ? undefined : String(size),
  };
}

/** @param {import('../app.js').Scope} scope */
function summary({ store }) {
  const names = /** @type {const} */ (['ready', 'leased', 'delayed', 'dead']);
  const values = Object.fromEntries(['queues', ...names, 'out'].map((key) => [key, h('dd', null)]));
  const tile = (/** @type {string} */ key, /** @type {string} */ label) =>
    h('div', { class: `tile tile-${key}` }, h('dt', null, label), values[key]);
  const element = h(
    'dl',
    { class: 'tiles', 'aria-label': 'All queues together' },
    tile('queues', 'Queues'),
    tile('ready', 'Ready'),
    tile('leased', 'Leased'),
    tile('delayed', 'Delayed'),
    tile('dead', 'Dead'),
    tile('out', 'Out/s'),
  );
  return {
    element,
    show(/** @type {number} */ now) {
      const sums = { ready: 0, leased: 0, delayed: 0, dead: 0 };
      let out = 0;
      for (const known of store.queues.values()) {
        for (const name of names) sums[name] += known.queue.counts[name];
        out += endedPerSecond(known, now) ?? 0;
      }
      setText(values.queues, count(store.queues.size));
      for (const name of names) {
        setText(values[name], count(sums[name]));
        setAttribute(values[name], 'data-zero', sums[name] === 0 ? '' : null);
      }
      setText(values.out, rate(out));
    },
  };
}
