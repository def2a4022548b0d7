//! One queue: its name, what one can do to it, its figures, and the part that the address names.

import { button, catchFocus, fill, h, setAttribute, setText } from '../dom.js';
import * as actions from '../actions.js';
import { badge, queueBadges } from '../badges.js';
import { putQueue } from '../api.js';
import { enqueueDialog, hasUncertain } from '../enqueue.js';
import { count, duration, exactly, rate } from '../format.js';
import { complain, say } from '../notices.js';
import { queueAddress, TABS } from '../router.js';
import { endedPerSecond, enqueuedPerSecond, oldestReady, timeLeft } from '../store.js';
import { deadView } from './dead.js';
import { itemsView } from './items.js';
import { joblogView } from './joblog.js';
import { overviewView } from './overview.js';
import { settingsView } from './settings.js';

/** @typedef {import('../router.js').Tab} Tab */

const LABELS = { overview: 'Overview', items: 'Items', dead: 'Dead letters', joblog: 'Joblog', settings: 'Settings' };
const VIEWS = { overview: overviewView, items: itemsView, dead: deadView, joblog: joblogView, settings: settingsView };

/**
 * @param {import('../app.js').Scope} scope
 * @param {{queue: string, tab: Tab, query: URLSearchParams}} route
 */
export function queueView(scope, { queue: name, tab: firstTab, query: firstQuery }) {
  const { store } = scope;
  const badges = h('span', { class: 'badges', role: 'status' });
  let badgesShown = '';
  const enqueue = button(
    'Enqueue',
    async () => {
      await enqueueDialog(store, { queue: name });
      showSealed();
      catchFocus(enqueue.hidden ? seal : enqueue);
    },
    { class: 'primary' },
  );
  const pause = button('Pause', () => actions.change(store, name, isPaused() ? 'resume' : 'pause'));
  const seal = button('Seal', () => actions.change(store, name, isSealed() ? 'reopen' : 'seal'));
  const redrive = button('Redrive dead', () =>
    actions.redriveMany(store, name, {}, store.queues.get(name)?.queue.counts.dead ?? 0),
  );
  const isPaused = () => store.queues.get(name)?.queue.paused ?? false;
  const isSealed = () => store.queues.get(name)?.queue.sealed ?? false;
  const figures = figuresOf();
  const links = TABS.map((tab) =>
    h(
      'a',
      { href: queueAddress(name, tab) },
      LABELS[tab],
      tab === 'dead' ? [' ', h('span', { class: 'pill', hidden: true })] : null,
    ),
  );
  const deadCount = /** @type {HTMLElement} */ (links[TABS.indexOf('dead')].querySelector('.pill'));
  const part = h('div', { class: 'part' });
  const there = h(
    'div',
    null,
    h(
      'div',
      { class: 'actions', role: 'group', 'aria-label': `Act on ${name}` },
      enqueue,
      pause,
      seal,
      redrive,
      button('Purge…', () => actions.purge(store, name)),
      button('Delete…', () => actions.remove(store, name), { class: 'danger-quiet' }),
    ),
    figures.element,
    h('nav', { class: 'tabs', 'aria-label': `Parts of ${name}` }, ...links),
    part,
  );
  const gone = h('div', { class: 'empty' });
  const element = h(
    'section',
    { class: 'page' },
    h('nav', { class: 'crumbs', 'aria-label': 'Where you are' }, h('a', { href: '#/queues' }, 'Queues')),
    h('div', { class: 'head' }, h('h1', null, name), badges),
    gone,
    there,
  );

  /** @type {import('../app.js').Scope | null} */
  let inner = null;
  /** @type {Tab | null} */
  let tab = null;
  /** @type {((query: URLSearchParams) => void) | undefined} */
  let goInside;
  let wanted = { tab: firstTab, query: firstQuery };

  const openPart = () => {
    links.forEach((link, i) => setAttribute(link, 'aria-current', TABS[i] === wanted.tab ? 'page' : null));
    if (tab === wanted.tab && goInside) {
      goInside(wanted.query);
      return;
    }
    inner?.end();
    inner = scope.inner();
    ({ tab } = wanted);
    const view = VIEWS[wanted.tab](inner, name, wanted.query);
    goInside = view.go;
    fill(part, view.element);
    document.title = `${name}: ${LABELS[wanted.tab]} · memq`;
  };

  let known = false;
  const update = () => {
    const now = store.queues.get(name);
    there.hidden = now === undefined;
    gone.hidden = now !== undefined;
    if (now === undefined) {
      fill(badges);
      badgesShown = '';
      if (!store.loaded) fill(gone, h('p', { class: 'muted' }, 'Connecting to the server…'));
      else if (known || gone.querySelector('button') === null) showGone();
      known = false;
      return;
    }
    if (!known) {
      known = true;
      // As if just opened: it may be another queue of that name.
      tab = null;
      openPart();
    }
    show(now);
  };

  function showGone() {
    inner?.end();
    inner = null;
    fill(
      gone,
      h('p', null, `There is no queue ${name}.`),
      h(
        'p',
        null,
        button(
          'Create it',
          async () => {
            try {
              await store.answered(name, putQueue(name), ({ queue }) => queue);
              say(`${name} is made.`);
            } catch (error) {
              complain(error);
            }
          },
          { class: 'primary' },
        ),
        ' ',
        h('a', { href: '#/queues' }, 'All queues'),
      ),
    );
  }

  /** A sealed queue is reopened first: what one types would be refused. */
  function showSealed() {
    const focused = document.activeElement === enqueue;
    // What may have come in before the queue was sealed can be sent again and is taken for what it is.
    enqueue.hidden = isSealed() && !hasUncertain(name);
    seal.classList.toggle('primary', enqueue.hidden);
    setText(seal, isSealed() ? 'Reopen' : 'Seal');
    if (focused && enqueue.hidden) seal.focus();
  }

  /** @param {import('../store.js').Known} now */
  function show({ queue }) {
    const list = queueBadges(queue);
    const words = list.map((each) => each.text).join('\n');
    if (words !== badgesShown) {
      badgesShown = words;
      fill(badges, ...list.map(badge));
    }
    setText(pause, queue.paused ? 'Resume' : 'Pause');
    setAttribute(
      pause,
      'title',
      queue.paused ? 'Give leases again' : 'Give no new leases; workers keep what they hold',
    );
    showSealed();
    setAttribute(seal, 'title', queue.sealed ? 'Take new items again' : 'Take no new items: the queue drains');
    setText(redrive, queue.counts.dead > 0 ? `Redrive ${exactly(queue.counts.dead)} dead` : 'Redrive dead');
    redrive.disabled = queue.counts.dead === 0;
    setText(deadCount, count(queue.counts.dead));
    deadCount.hidden = queue.counts.dead === 0;
    tick();
  }

  const tick = () => {
    const now = store.queues.get(name);
    if (now) figures.show(now, Date.now());
  };

  scope.onChange((changes) => {
    if (changes.everything || changes.queues.has(name)) update();
  });
  scope.every(1_000, tick);
  update();
  return {
    title: name,
    element,
    go(/** @type {{tab: Tab, query: URLSearchParams}} */ to) {
      wanted = to;
      if (known) openPart();
    },
  };
}

/** The row of figures under the name. */
function figuresOf() {
  /** @type {[key: string, label: string, title?: string][]} */
  const keys = [
    ['ready', 'Ready'],
    ['leased', 'Leased'],
    ['delayed', 'Delayed'],
    ['dead', 'Dead'],
    ['done', 'Done'],
    ['oldest', 'Oldest ready'],
    ['in', 'In/s', 'Items that came in a second, mean of 30 s'],
    ['out', 'Out/s', 'Items that were done or died a second, mean of 30 s'],
    ['left', 'Time left', 'Until nothing is unfinished, at the mean of the last 30 s'],
  ];
  const values = new Map(keys.map(([key]) => [key, h('dd', null)]));
  const element = h(
    'dl',
    { class: 'tiles', 'aria-label': 'Figures' },
    ...keys.map(([key, label, title]) =>
      h('div', { class: `tile tile-${key}`, title }, h('dt', null, label), values.get(key) ?? null),
    ),
  );
  const put = (/** @type {string} */ key, /** @type {string} */ text) =>
    setText(/** @type {Element} */ (values.get(key)), text);
  return {
    element,
    /**
     * @param {import('../store.js').Known} known
     * @param {number} now
     */
    show(known, now) {
      const { counts } = known.queue;
      for (const state of /** @type {const} */ (['ready', 'leased', 'delayed', 'dead', 'done'])) {
        put(state, count(counts[state]));
        setAttribute(/** @type {Element} */ (values.get(state)), 'data-zero', counts[state] === 0 ? '' : null);
        setAttribute(/** @type {Element} */ (values.get(state)), 'title', exactly(counts[state]));
      }
      put('oldest', duration(oldestReady(known, now)));
      put('in', rate(enqueuedPerSecond(known, now)));
      put('out', rate(endedPerSecond(known, now)));
      put('left', duration(timeLeft(known, now)));
    },
  };
}
