//! The page of a memq server: starts here.
//!
//! How it is cut: one module a noun, each opening with what it owns.
//!
//! - Pure, with tests in test/: `format` (values as words), `quantities` (what people type), `sse` (the event format),
//!   `router` (addresses), `history` (what a queue was over time), `upload` (a file in pieces the server takes),
//!   `sending` (none twice), `patch` (settings within settings).
//! - The server: `api` (calls and their failures), `session` (the token), `events` (keeps `store` as the server is),
//!   `store` (what is known, told of once a frame).
//! - Parts: `dom` (makes elements; reads no markup, ever), `dialog`, `notices`, `charts`, `content` (what an item holds),
//!   `tables`, `badges`, `theme`, `copy`.
//! - What one can do: `actions` (pause, seal, purge, redrive, cancel, delete), `enqueue`, `settings` (the form),
//!   `create`.
//! - `views/`: a page each. A view is `(scope, route) => element`; `scope.signal` aborts when the reader goes on, and with
//!   it all that the view listens to.
//!
//! `late.js` is no module: it says so where these do not come.
//!
//! There is no build: what is in this folder is what the browser loads. Rules: no framework, no markup from strings, no
//! inline style or script (the server forbids them), every call by `api`, every text of an item by `textContent`.
//! Tests find things by role and accessible name, so names of buttons, fields, tables and headings are an interface:
//! change them with the tests.

import { ApiError, BASE, onUnauthenticated } from './api.js';
import { button, fill, h, setAttribute, setText } from './dom.js';
import { field, openDialog } from './dialog.js';
import { Feed } from './events.js';
import { clock, duration } from './format.js';
import { complain, say, sentence } from './notices.js';
import { parse } from './router.js';
import { setToken, token } from './session.js';
import { Store } from './store.js';
import * as theme from './theme.js';
import { itemView } from './views/item.js';
import { queueView } from './views/queue.js';
import { queuesView } from './views/queues.js';
import { runView } from './views/run.js';
import { isOver, runsView } from './views/runs.js';

/** What a view is given: what it shows, and until when it is shown. */
export class Scope {
  #end = new AbortController();
  signal = this.#end.signal;

  /** @param {Store} store */
  constructor(store) {
    this.store = store;
  }

  /**
   * Every so often, while the view is shown and the page is looked at.
   * @param {number} ms
   * @param {() => void} act
   */
  every(ms, act) {
    const timer = setInterval(() => {
      if (!document.hidden) act();
    }, ms);
    this.signal.addEventListener('abort', () => clearInterval(timer));
  }

  /** @param {(changes: import('./store.js').Changes) => void} listener */
  onChange(listener) {
    this.store.listen(listener, this.signal);
  }

  /**
   * The signal of a call that ends with the view, or when the call after it begins.
   * @param {AbortController} [before]
   */
  call(before) {
    before?.abort();
    const call = new AbortController();
    this.signal.addEventListener('abort', () => call.abort(), { signal: call.signal });
    return call;
  }

  /** A scope inside this one that may end before it. */
  inner() {
    const scope = new Scope(this.store);
    // Or each scope that ever was inside would stay as long as this one, with all that it showed.
    this.signal.addEventListener('abort', () => scope.end(), { signal: scope.signal });
    return scope;
  }

  end() {
    this.#end.abort();
  }
}

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const main = byId('main');
const store = new Store();
/** @type {Scope | null} */
let shown = null;

/** @param {import('./router.js').Route} route */
function place(route) {
  switch (route.page) {
    case 'queues':
      return 'queues';
    case 'queue':
      return `queue ${route.queue}`;
    case 'item':
      return `item ${route.queue} ${route.id}`;
    case 'runs':
      return 'runs';
    case 'run':
      return `run ${route.run}`;
    default:
      return `unknown ${route.path}`;
  }
}

/**
 * @param {Scope} scope
 * @param {import('./router.js').Route} route
 * @returns {{title: string, element: HTMLElement, go?: (route: any) => void}}
 */
function view(scope, route) {
  switch (route.page) {
    case 'queues':
      return queuesView(scope, route);
    case 'queue':
      return queueView(scope, route);
    case 'item':
      return itemView(scope, route);
    case 'runs':
      return runsView(scope);
    case 'run':
      return runView(scope, route);
    default:
      return {
        title: 'Not found',
        element: h(
          'section',
          { class: 'empty' },
          h('h1', null, 'There is no such page'),
          h('p', null, h('a', { href: '#/queues' }, 'All queues')),
        ),
      };
  }
}

/** @type {{place: string, go?: (route: any) => void} | null} */
let current = null;

/** @param {boolean} first */
function show(first) {
  const route = parse(location.hash);
  const here = place(route);
  const section = route.page === 'runs' || route.page === 'run' ? '#/runs' : '#/queues';
  for (const link of byId('pages').querySelectorAll('a')) {
    setAttribute(link, 'aria-current', link.getAttribute('href') === section ? 'page' : null);
  }
  if (current?.place === here && current.go) {
    current.go(route);
    return;
  }
  shown?.end();
  shown = new Scope(store);
  const { title, element, go } = view(shown, route);
  current = { place: here, go };
  document.title = `${title} · memq`;
  fill(main, element);
  if (first) return;
  // Who does not see the page is told by the focus where they are.
  const heading = element.querySelector('h1');
  heading?.setAttribute('tabindex', '-1');
  heading?.focus({ preventScroll: true });
  scrollTo(0, 0);
}

const WORDS = {
  connecting: 'Connecting…',
  live: 'Live',
  polling: 'Polling',
  reconnecting: 'Reconnecting…',
  starting: 'Server is starting…',
  gone: 'No answer',
  locked: 'No access',
};
const connection = byId('connection');
/** How the connection is, whatever the page says of it. @type {import('./events.js').Connection} */
let connected = { state: 'connecting' };
/** @type {ReturnType<typeof setTimeout> | undefined} */
let restartedShown;

/** @param {import('./events.js').Connection} now */
function tell(now) {
  const { state, detail } = now;
  connected = now;
  tellAway(now);
  // Access was given after all.
  if (current === null && (state === 'live' || state === 'polling')) show(true);
  if (restartedShown !== undefined && (state === 'live' || state === 'polling')) return;
  clearTimeout(restartedShown);
  restartedShown = undefined;
  setAttribute(connection, 'data-state', state);
  setAttribute(connection, 'title', detail ?? null);
  setText(connection, WORDS[state]);
  if (state === 'locked') locked(detail ?? 'this server wants a token');
}

const away = byId('away');

/** What is said of a server that is away. */
let toldAway = '';

/**
 * A server that does not come back is said to be away, with what is shown as it was; one that was never heard, with
 * what may be wrong; and one that lets the page in no more, with why.
 * @param {import('./events.js').Connection} now
 */
function tellAway({ state, since, everyMs, detail }) {
  const seconds = Math.round((everyMs ?? 0) / 1_000);
  let words = '';
  if (state === 'locked' && store.loaded) {
    words = `No access any more: ${detail ?? 'this server wants a token'}. What is shown is as it was until then.`;
  } else if (state === 'gone' && since !== undefined && store.loaded) {
    const over = allOver() ? ' All its runs were over: a server of memq run ends with its run.' : '';
    words =
      `The server does not answer since ${clock(since)}; trying again every ${seconds} s. ` +
      `What is shown is as it was then.${over}`;
  } else if (state === 'gone') {
    words =
      `Nothing is heard of a memq server at ${BASE.href}: ${detail ?? 'the connection breaks off'}. ` +
      `Trying again every ${seconds} s. ` +
      'See whether memq-server runs, and whether a proxy, a tunnel or a forwarded port in between still works.';
  }
  away.hidden = words === '';
  // Told once: whoever hears the page should not hear it at every try.
  if (words === toldAway) return;
  toldAway = words;
  const again = state === 'locked' ? button('Enter a token', enter) : button('Try now', () => feed.retry());
  if (words === '') fill(away);
  else fill(away, h('p', null, words), again);
}

function allOver() {
  const runs = [...store.runs.values()];
  return runs.length > 0 && runs.every(isOver);
}

/**
 * @param {number} awayMs
 * @param {boolean} restarted
 */
function back(awayMs, restarted) {
  const words = restarted ? 'Server restarted' : 'Live again';
  setAttribute(connection, 'data-state', 'restarted');
  setText(connection, words);
  say(`${restarted ? 'The server was restarted' : 'The server is back'}; it was away for ${duration(awayMs)}.`);
  restartedShown = setTimeout(() => {
    restartedShown = undefined;
    tell(connected);
  }, 8_000);
}

const feed = new Feed(store, { tell, back });

/** @param {string} detail */
function locked(detail) {
  if (store.loaded) return;
  current = null;
  shown?.end();
  fill(
    main,
    h(
      'section',
      { class: 'empty' },
      h('h1', null, 'No access'),
      h('p', null, `${sentence(detail)}.`),
      h('p', null, h('button', { type: 'button', class: 'primary', onclick: enter }, 'Enter a token')),
    ),
  );
}

/** Forgets the token and asks for another. */
function enter() {
  ask('').then(
    () => feed.retry(),
    () => {},
  );
}

/**
 * @param {string} refused what the server said of the token that was given
 * @returns {Promise<void>}
 */
async function ask(refused) {
  const box = h('input', { type: 'password', autocomplete: 'off', spellcheck: 'false', required: true });
  const done = await openDialog({
    title: 'This server wants a token',
    body: [
      h('p', null, 'Whoever runs the server gives it out. It is kept in this tab and gone when the tab closes.'),
      field('Token', box),
    ],
    submit: 'Use this token',
    act() {
      const text = box.value.trim();
      if (text === '') throw new Error('enter the token');
      if (!/^[\x21-\x7e]+$/.test(text)) throw new Error('a token has visible ASCII characters alone');
      setToken(text);
    },
    opened: ({ problem }) => {
      if (refused !== '') problem(refused);
    },
  });
  if (!done) throw new ApiError(401, 'unauthenticated', refused || 'this server wants a token');
  byId('token').hidden = false;
}

onUnauthenticated(ask);
byId('token').hidden = token() === null;
byId('token').addEventListener('click', enter);

const themeButton = byId('theme');
function showTheme() {
  const now = theme.chosen();
  const label = { auto: 'Theme: system', light: 'Theme: light', dark: 'Theme: dark' }[now];
  fill(themeButton, h('span', { 'aria-hidden': 'true' }, { auto: '◐', light: '☀', dark: '☾' }[now]));
  setAttribute(themeButton, 'aria-label', label);
  setAttribute(themeButton, 'title', label);
}
themeButton.addEventListener('click', () => {
  theme.choose(theme.after(theme.chosen()));
  showTheme();
});
theme.choose(theme.chosen());
showTheme();

byId('skip').addEventListener('click', (event) => {
  // The address stays the page's.
  event.preventDefault();
  main.focus();
});
addEventListener('hashchange', () => show(false));
addEventListener('unhandledrejection', (event) => {
  event.preventDefault();
  if (event.reason?.name !== 'AbortError') complain(event.reason);
});
document.documentElement.setAttribute('data-started', '');
show(true);
feed.run();
