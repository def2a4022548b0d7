//! Addresses after the `#`, as what they name, and back. Pure but for `go`.

/**
 * @typedef {{page: 'queues', query: URLSearchParams}
 *   | {page: 'queue', queue: string, tab: Tab, query: URLSearchParams}
 *   | {page: 'item', queue: string, id: string, query: URLSearchParams}
 *   | {page: 'runs', query: URLSearchParams}
 *   | {page: 'run', run: string, query: URLSearchParams}
 *   | {page: 'unknown', path: string, query: URLSearchParams}} Route
 * @typedef {'overview' | 'items' | 'dead' | 'joblog' | 'settings'} Tab
 */

/** The parts of a queue's page, in their order. */
export const TABS = /** @type {const} */ (['overview', 'items', 'dead', 'joblog', 'settings']);

/**
 * @param {string} hash with or without its `#`
 * @returns {Route}
 */
export function parse(hash) {
  const [path, search = ''] = hash.replace(/^#/, '').split('?', 2);
  const query = new URLSearchParams(search);
  const unknown = /** @type {const} */ ({ page: 'unknown', path, query });
  /** @type {string[]} */
  let parts;
  try {
    parts = path
      .split('/')
      .filter((part) => part !== '')
      .map(decodeURIComponent);
  } catch {
    return unknown;
  }
  const [page, name, tab, id] = parts;
  if (parts.length === 0 || (page === 'queues' && parts.length === 1)) return { page: 'queues', query };
  if (page === 'queues' && tab === 'items' && parts.length === 4) return { page: 'item', queue: name, id, query };
  if (page === 'queues' && parts.length === 2) return { page: 'queue', queue: name, tab: 'overview', query };
  const known = TABS.find((each) => each === tab);
  if (page === 'queues' && parts.length === 3 && known) return { page: 'queue', queue: name, tab: known, query };
  if (page === 'runs' && parts.length === 1) return { page: 'runs', query };
  if (page === 'runs' && parts.length === 2) return { page: 'run', run: name, query };
  return unknown;
}

/** @param {Record<string, string | undefined>} [query] */
export function queuesAddress(query) {
  return `#/queues${search(query)}`;
}

/**
 * @param {string} queue
 * @param {Tab} [tab]
 * @param {Record<string, string | undefined>} [query]
 */
export function queueAddress(queue, tab = 'overview', query) {
  const base = `#/queues/${encodeURIComponent(queue)}`;
  return `${tab === 'overview' ? base : `${base}/${tab}`}${search(query)}`;
}

/**
 * @param {string} queue
 * @param {string} id
 */
export function itemAddress(queue, id) {
  return `#/queues/${encodeURIComponent(queue)}/items/${encodeURIComponent(id)}`;
}

/** @param {string} run */
export function runAddress(run) {
  return `#/runs/${encodeURIComponent(run)}`;
}

/** @param {Record<string, string | undefined>} [query] */
function search(query) {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== '');
  const text = new URLSearchParams(/** @type {[string, string][]} */ (given)).toString();
  return text === '' ? '' : `?${text}`;
}

/**
 * Goes to an address; `replace` leaves no step for the back button, and tells nobody: whoever calls shows it already.
 * @param {string} address
 * @param {{replace?: boolean}} [how]
 */
export function go(address, { replace = false } = {}) {
  if (replace) history.replaceState(null, '', address);
  else location.hash = address;
}
