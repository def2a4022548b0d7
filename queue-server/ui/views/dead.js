//! Dead letters: why they died, which of them are like each other, and giving them another chance: some by hand, or all
//! that match.
//!
//! The server's list knows no filter by error, so the page looks through the dead items itself, a piece at a time, and
//! says how far it looked. What is redriven by filter is decided by the server, over all of them.

import { HANGS_MS, listItems } from '../api.js';
import * as actions from '../actions.js';
import { button, catchFocus, fill, h, setText } from '../dom.js';
import { counted, exactly, moment, preview, shortId, tellingLine } from '../format.js';
import { field } from '../dialog.js';
import { go, queueAddress } from '../router.js';
import { age, cell, goneFrom, holdOf, keepAges, line, tableOf, takeAway } from '../tables.js';
import { itemName } from './items.js';

const PAGE = 50;
/** Items looked at before the reader is asked whether to look further. */
const SCAN = 2_000;

/** @typedef {import('../api.js').Item} Item */

/**
 * @param {import('../app.js').Scope} scope
 * @param {string} name
 * @param {URLSearchParams} start
 */
export function deadView(scope, name, start) {
  const { store } = scope;
  const text = h('input', { type: 'search', autocomplete: 'off', spellcheck: 'false', placeholder: 'any' });
  const code = h('input', { type: 'text', inputmode: 'numeric', autocomplete: 'off', placeholder: 'any' });
  const group = h('input', { type: 'search', autocomplete: 'off', placeholder: 'any' });
  const after = h('input', { type: 'datetime-local', step: 1 });
  const before = h('input', { type: 'datetime-local', step: 1 });
  const everyone = h('input', { type: 'checkbox', 'aria-label': 'Select all shown' });
  const { table, body: tbody } = tableOf(
    'Dead letters',
    [
      [h('label', null, everyone, h('span', { class: 'narrow-words' }, 'All shown')), 'tick-cell'],
      ['Item', 'name'],
      ['Why', 'name'],
      ['Exit code', 'number'],
      ['Attempts', 'number'],
      ['Died', 'number'],
    ],
    'dead',
  );
  const heading = h('h2', { class: 'unseen', tabindex: '-1' }, 'Dead letters');
  const note = h('p', { class: 'empty muted', role: 'status' });
  const more = button('Look further', () => look());
  const status = h('span', { class: 'where', role: 'status' });
  const redriveChosen = button(
    'Redrive selected',
    async () => {
      const ids = [...chosen.keys()];
      if (await actions.redrive(store, name, { ids })) again();
    },
    { class: 'primary' },
  );
  const throwChosen = button(
    'Throw away selected…',
    async () => {
      if (await actions.cancel(name, [...chosen.values()])) again();
    },
    { class: 'danger-quiet' },
  );
  const redriveAll = button('Redrive all', async () => {
    try {
      const dead = store.queues.get(name)?.queue.counts.dead ?? 0;
      const most = filtered() && allKnown() ? still().length : dead;
      if (await actions.redriveMany(store, name, filter(), most)) again();
    } catch (error) {
      setText(problem, error instanceof Error ? error.message : String(error));
    }
  });
  const purge = button(
    'Throw away all…',
    async () => {
      if (await actions.throwAwayDead(store, name)) again();
    },
    { class: 'danger-quiet' },
  );
  const problem = h('p', { class: 'problem', role: 'alert' });

  /** @type {Map<string, Item>} */
  const chosen = new Map();
  /** @type {Item[]} */
  let shown = [];
  /** @type {string | undefined} */
  let cursor;
  let ended = false;
  let looked = 0;
  let call = scope.call();
  /** Whether it was the reader who made the list another one. */
  let acted = false;
  const again = () => {
    acted = true;
    reload();
  };

  /** The conditions as the server takes them; none: all. */
  const filter = () => {
    /** @type {Record<string, unknown>} */
    const which = {};
    if (text.value !== '') which.error_contains = text.value;
    if (group.value.trim() !== '') which.group = group.value.trim();
    if (code.value.trim() !== '') {
      if (!/^-?\d+$/.test(code.value.trim())) throw new Error('The exit code is no whole number.');
      which.exit_code = Number(code.value);
    }
    if (after.value !== '') which.ended_after = new Date(after.value).toISOString();
    if (before.value !== '') which.ended_before = new Date(before.value).toISOString();
    return which;
  };

  /**
   * The same conditions, for what is shown.
   * @param {Record<string, any>} which
   * @param {Item} item
   */
  const matches = (which, item) =>
    (which.error_contains === undefined || (item.error ?? '').includes(which.error_contains)) &&
    (which.exit_code === undefined || item.exit_code === which.exit_code) &&
    (which.ended_after === undefined || Date.parse(item.ended ?? '') >= Date.parse(which.ended_after)) &&
    (which.ended_before === undefined || Date.parse(item.ended ?? '') < Date.parse(which.ended_before));

  /**
   * Looks for another page of what matches.
   * @param {Record<string, any>} which
   * @param {{cursor?: string, looked: number}} from
   * @param {AbortSignal} signal
   */
  const find = async (which, from, signal) => {
    let { cursor, looked } = from;
    const until = looked + SCAN;
    const limit = Object.keys(which).length === 0 ? PAGE : 500;
    /** @type {Item[]} */
    const found = [];
    let ended = false;
    while (found.length < PAGE && looked < until && !ended) {
      const page = await listItems(name, { state: 'dead', group: which.group, limit, after: cursor }, signal);
      looked += page.items.length;
      found.push(...page.items.filter((item) => matches(which, item)));
      cursor = page.next;
      ended = page.next === undefined;
    }
    return { found, cursor, looked, ended };
  };

  /** @param {{anew?: boolean, onItsOwn?: boolean}} [how] from the beginning; not because the reader asked for it */
  const look = async ({ anew = false, onItsOwn = false } = {}) => {
    const mine = scope.call(call);
    call = mine;
    setText(problem, '');
    since = 0;
    /** @type {Record<string, any>} */
    let which;
    try {
      which = filter();
    } catch (error) {
      setText(problem, error instanceof Error ? error.message : String(error));
      return;
    }
    const by = conditions();
    if (!onItsOwn) setText(status, 'Looking…');
    since = Date.now();
    // What changes from here on may not be in the answer.
    if (anew) changed = false;
    try {
      const answer = await find(which, anew ? { looked: 0 } : { cursor, looked }, mine.signal);
      if (onItsOwn && chooses()) {
        // Its lines are told what became of them instead.
        changed = true;
      } else {
        if (anew) clear();
        shownBy = by;
        ({ cursor, looked, ended } = answer);
        shown = shown.concat(answer.found);
        tbody.append(...answer.found.map(row));
      }
    } catch (error) {
      if (anew) changed = true;
      if (mine.signal.aborted) return;
      setText(problem, error instanceof Error ? error.message : String(error));
    } finally {
      // Who was overtaken leaves this to who overtook.
      if (mine === call) since = 0;
    }
    labels();
    if (acted) catchFocus(heading);
    acted = false;
  };

  const hold = holdOf(tbody);
  /** @type {Map<string, {element: HTMLElement, end: () => void, over: boolean}>} by item */
  const rows = new Map();
  /** Since when an answer is waited for, or 0: asking on its own would take it away from the reader who asked. */
  let since = 0;
  /** Whether the list is to stay as it is for who is at it. */
  const chooses = () => chosen.size > 0 || hold.holds();

  /** Tells the lines that stay what became of their items. */
  const check = async () => {
    const mine = call;
    const { signal } = mine;
    since = Date.now();
    changed = false;
    try {
      const which = { state: 'dead', group: group.value.trim(), limit: 500 };
      const last = shown.at(-1)?.id ?? '';
      for (let from = ''; from < last && !signal.aborted;) {
        const page = await listItems(name, { ...which, after: from === '' ? undefined : from }, signal);
        if (signal.aborted) return;
        for (const id of goneFrom(rows.keys(), page, from)) rows.get(id)?.end();
        const end = page.items.at(-1)?.id;
        if (page.next === undefined || end === undefined) break;
        from = end;
      }
      waiting = true;
      hold.tell([...rows.values()].filter(({ over }) => over).length, true);
      labels();
    } catch (error) {
      changed = true;
      if (!signal.aborted) setText(problem, error instanceof Error ? error.message : String(error));
    } finally {
      if (mine === call) since = 0;
      // Overtaken, it is still to be done.
      if (signal.aborted) changed = true;
    }
  };

  const clear = () => {
    waiting = false;
    rows.clear();
    hold.tell(0);
    shown = [];
    cursor = undefined;
    ended = false;
    looked = 0;
    chosen.clear();
    fill(tbody);
  };

  const reload = () => {
    clear();
    look({ anew: true });
  };

  /** @param {Item} item */
  const row = (item) => {
    const said = tellingLine(item.error) || 'said nothing';
    const why = h('span', { class: 'preview', title: preview(item.error, 1_000) }, said);
    const box = h('input', { type: 'checkbox', 'aria-label': `Select item ${shortId(item.id)}` });
    box.addEventListener('change', () => {
      if (box.checked) chosen.set(item.id, item);
      else chosen.delete(item.id);
      labels();
    });
    const made = line(
      cell(null, box, 'tick-cell'),
      itemName(name, item),
      cell('Why', why, 'why'),
      cell('Exit code', item.exit_code ?? '–', 'number'),
      cell('Attempts', exactly(item.attempts), 'number'),
      cell('Died', age(item.ended), 'when number', { title: moment(item.ended) }),
    );
    rows.set(item.id, {
      element: made,
      over: false,
      end() {
        if (this.over) return;
        this.over = true;
        made.classList.add('over');
        setText(why, 'no longer dead');
        chosen.delete(item.id);
        takeAway(made, box);
      },
    });
    return made;
  };

  everyone.addEventListener('change', () => {
    for (const box of tbody.querySelectorAll('input')) box.checked = everyone.checked;
    chosen.clear();
    if (everyone.checked) for (const item of still()) chosen.set(item.id, item);
    labels();
  });

  /** Those that are dead for all that is known. */
  const still = () => shown.filter(({ id }) => !rows.get(id)?.over);

  /** What the reader asks for by now. */
  const conditions = () => JSON.stringify([text, code, group, after, before].map((box) => box.value));
  /** What is shown was asked for by this. */
  let shownBy = '';
  /** Whether all that match are shown: what is typed counts at once, and its answer comes later. */
  const allKnown = () => ended && shownBy === conditions();

  const filtered = () => [text, code, group, after, before].some((box) => box.value !== '');

  const labels = () => {
    const dead = store.queues.get(name)?.queue.counts.dead ?? 0;
    setText(redriveChosen, chosen.size === 0 ? 'Redrive selected' : `Redrive ${counted(chosen.size, 'selected item')}`);
    setText(throwChosen, 'Throw away selected…');
    redriveChosen.disabled = chosen.size === 0;
    throwChosen.disabled = chosen.size === 0;
    setText(
      redriveAll,
      filtered()
        ? allKnown()
          ? `Redrive all ${exactly(still().length)} that match`
          : 'Redrive all that match'
        : dead > 0
          ? `Redrive all ${exactly(dead)}`
          : 'Redrive all',
    );
    redriveAll.disabled = dead === 0;
    purge.disabled = dead === 0;
    everyone.checked = chosen.size > 0 && chosen.size === still().length;
    everyone.indeterminate = chosen.size > 0 && chosen.size < still().length;
    table.hidden = shown.length === 0;
    more.hidden = ended;
    setText(more, filtered() ? 'Look further' : 'Show more');
    note.hidden = shown.length > 0;
    setText(note, dead === 0 ? 'No item is dead.' : ended ? 'No dead item is like that.' : 'None found yet.');
    setText(
      status,
      dead === 0
        ? ''
        : filtered()
          ? `${exactly(shown.length)}${ended ? '' : '+'} match; looked at ${exactly(looked)} of ${exactly(Math.max(dead, looked))}`
          : `${exactly(shown.length)} of ${exactly(Math.max(dead, shown.length))}`,
    );
  };

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let typing;
  const refilter = () => {
    labels();
    clearTimeout(typing);
    typing = setTimeout(() => {
      go(
        queueAddress(name, 'dead', {
          error: text.value,
          exit: code.value,
          group: group.value,
          after: after.value,
          before: before.value,
        }),
        { replace: true },
      );
      reload();
    }, 300);
  };
  for (const box of [text, code, group, after, before]) box.addEventListener('input', refilter);

  let changed = false;
  /** Something new is held up. */
  let waiting = false;
  /** What changes when an item dies or is dead no more. */
  const mark = () => {
    const now = store.queues.get(name)?.queue;
    return now && `${now.counts.dead} ${now.totals.dead}`;
  };
  let marked = mark();
  scope.onChange((changes) => {
    if (!changes.everything && !changes.queues.has(name)) return;
    const now = mark();
    if (now === marked) return;
    marked = now;
    changed = true;
    labels();
  });
  keepAges(scope, tbody);
  // What one chooses from must not change under the hand, and must not lie either.
  scope.every(2_000, () => {
    const hangs = since > 0 && Date.now() - since >= HANGS_MS;
    if ((since > 0 && !hangs) || !(hangs || changed || waiting)) return;
    if (shown.length <= PAGE && !chooses()) look({ anew: true, onItsOwn: true });
    else if (changed || hangs) check();
  });
  const take = (/** @type {URLSearchParams} */ query) => {
    text.value = query.get('error') ?? '';
    code.value = query.get('exit') ?? '';
    group.value = query.get('group') ?? '';
    after.value = query.get('after') ?? '';
    before.value = query.get('before') ?? '';
    reload();
  };
  take(start);
  return {
    element: h(
      'div',
      null,
      heading,
      h(
        'details',
        { class: 'filter', open: filtered() || matchMedia('(min-width: 821px)').matches },
        h('summary', null, 'Filter'),
        h(
          'form',
          {
            class: 'filters',
            role: 'search',
            'aria-label': 'Filter dead letters',
            onsubmit: (/** @type {Event} */ event) => event.preventDefault(),
          },
          field('Error contains', text),
          field('Exit code', code),
          field('Group', group),
          field('Died after', after),
          field('Died before', before),
        ),
      ),
      problem,
      h(
        'div',
        { class: 'toolbar' },
        redriveChosen,
        throwChosen,
        h('span', { class: 'grow' }),
        status,
        redriveAll,
        purge,
      ),
      h('div', { class: 'card flush' }, table, hold.hint, note),
      h('div', { class: 'more' }, more),
    ),
    go: take,
  };
}
