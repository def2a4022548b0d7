//! Calls of the server's public /v1 API, and what their failures are. Knows no page: who asks for a token is
//! handed in.

import { setToken, token } from './session.js';

/**
 * @typedef {{ready: number, leased: number, delayed: number, dead: number, done: number}} Counts
 * @typedef {{enqueued: number, duplicates?: number, leased: number, acked: number, nacked: number, released: number,
 *   lease_expired: number, item_expired?: number, cancelled?: number, dead: number, redriven?: number,
 *   purged: number, taken: number}} Totals
 * @typedef {Record<string, any>} Settings
 * @typedef {{completions: number, mean_ms?: number, p95_ms?: number, running_mean_age_ms?: number}} Handling
 * @typedef {{name: string, sealed: boolean, paused: boolean, drained: boolean, empty: boolean, outcome?: string,
 *   counts: Counts, backlog: number, unfinished: number, rate_per_s: number, eta_ms?: number, handling?: Handling,
 *   totals: Totals, oldest_ready_ms?: number, settings: Settings}} Queue
 * @typedef {{attempt: number, as: string, worker?: string, started: string, ended: string, result?: string,
 *   error?: string, exit_code?: number, log_bytes?: number}} Attempt
 * @typedef {{worker?: string, started: string, lease_ms: number, lease_expires: string}} Lease
 * @typedef {{id: string, state: string, body?: string, body_base64?: string, attempts: number, key?: string,
 *   group?: string, priority?: number, enqueued: string, due?: string, expires?: string, lease?: Lease,
 *   ended?: string, result?: string, error?: string, exit_code?: number, history?: Attempt[]}} Item
 * @typedef {{outcome: number, id: string, body?: string, body_base64?: string, key?: string, group?: string,
 *   state: string, attempts: number, worker?: string, enqueued: string, started?: string, ended: string,
 *   result?: string, error?: string, exit_code?: number}} Outcome
 * @typedef {{name: string, phase: string, queues?: string[], done?: number, failed?: number, total?: number,
 *   eta_ms?: number, rate_per_s?: number, workers?: {busy?: number, idle?: number, wanted?: number},
 *   binding?: string, started?: string, ended?: string, message?: string}} Step
 * @typedef {{run: string, spec: string, namespace?: string, phase: string, started?: string, ended?: string,
 *   message?: string, updated?: string, stale?: boolean, steps: Step[]}} Run
 */

/** Where the page lies, so that it works below a path of a proxy, too. */
export const BASE = new URL('./', globalThis.location?.href ?? 'http://localhost/');

/** Why a call failed, in the server's words. */
export class ApiError extends Error {
  /**
   * @param {number} status 0 where no answer came
   * @param {string} code
   * @param {string} detail
   * @param {number} [retryAfterMs]
   */
  constructor(status, code, detail, retryAfterMs) {
    super(detail);
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * Asks for a token, once however many calls wait for it. Resolves when one was given, rejects when none will be.
 * @type {(problem: string) => Promise<void>}
 */
let askForToken = () => Promise.reject(new ApiError(401, 'unauthenticated', 'this server wants a token'));
/** @type {Promise<void> | null} */
let asking = null;

/** How far the server's clock is ahead of the reader's, where that is worth a word. */
let aheadMs = 0;
/** Below this it is the way of an answer and the whole seconds of its `Date`. */
const LEAST_AHEAD_MS = 5_000;

/** Now, by the server's clock: what its times are to be compared with. */
export function serverNow() {
  return Date.now() + aheadMs;
}

/** @param {Response} response */
function compareClocks(response) {
  const said = Date.parse(response.headers.get('Date') ?? '');
  if (Number.isNaN(said)) return;
  const ahead = said - Date.now();
  aheadMs = Math.abs(ahead) < LEAST_AHEAD_MS ? 0 : ahead;
}

/** @param {(problem: string) => Promise<void>} ask */
export function onUnauthenticated(ask) {
  askForToken = ask;
}

/**
 * Sends a request as it is.
 * @param {string} path below the page's own
 * @param {RequestInit & {patient?: boolean}} [init] `patient`: a 401 is not asked about but told
 * @returns {Promise<Response>} an answer of 2xx
 */
export async function send(path, init = {}) {
  for (;;) {
    const used = token();
    const headers = new Headers(init.headers);
    if (used !== null) headers.set('Authorization', `Bearer ${used}`);
    let response;
    try {
      response = await fetch(new URL(path, BASE), { ...init, headers, cache: 'no-store' });
    } catch (cause) {
      if (init.signal?.aborted) throw cause;
      throw new ApiError(0, 'unreachable', 'the server cannot be reached');
    }
    compareClocks(response);
    if (response.ok) return response;
    let error = await problem(response);
    // How a program would give one is no news to a person who has none yet.
    if (error.status === 401 && used === null) error = new ApiError(401, error.code, 'this server wants a token');
    if (error.status !== 401 || init.patient) throw error;
    if (token() === used) {
      setToken(null);
      asking ??= askForToken(used === null ? '' : error.message).finally(() => {
        asking = null;
      });
      await asking;
    }
  }
}

/**
 * What a refused call says.
 * @param {Response} response
 */
async function problem(response) {
  const after = Number(response.headers.get('Retry-After'));
  const wait = after > 0 ? after * 1_000 : undefined;
  const text = await response.text().catch(() => '');
  try {
    const { code, detail, title } = JSON.parse(text);
    // Names stand in the quotes that people write.
    const words = String(detail ?? title).replace(/`([^`]*)`/g, '“$1”');
    return new ApiError(response.status, String(code), words, wait);
  } catch {
    const said = text.trim().slice(0, 300) || response.statusText;
    return new ApiError(response.status, 'http', `the server answered ${response.status} ${said}`.trim(), wait);
  }
}

/**
 * @param {string} path
 * @param {RequestInit & {patient?: boolean}} [init]
 */
async function json(path, init) {
  const response = await send(path, init);
  return response.status === 204 ? null : response.json();
}

/**
 * @param {string} method
 * @param {unknown} [value]
 * @returns {RequestInit}
 */
function request(method, value) {
  if (value === undefined) return { method };
  return { method, body: JSON.stringify(value), headers: { 'Content-Type': 'application/json' } };
}

/**
 * A query, without what is undefined.
 * @param {Record<string, string | number | boolean | undefined>} fields
 */
function query(fields) {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined && value !== '');
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text === '' ? '' : `?${text}`;
}

const at = (/** @type {string} */ name) => `v1/queues/${encodeURIComponent(name)}`;

/**
 * @param {AbortSignal} [signal]
 * @param {boolean} [patient] a 401 is not asked about but told
 * @returns {Promise<Queue[]>}
 */
export async function listQueues(signal, patient) {
  return (await json('v1/queues', { signal, patient })).queues;
}

/**
 * @param {AbortSignal} [signal]
 * @param {boolean} [patient] a 401 is not asked about but told
 * @returns {Promise<Run[]>} none where the server knows no runs
 */
export async function listRuns(signal, patient) {
  /** @type {Run[]} */
  const runs = [];
  try {
    for (let after; ;) {
      const page = await json(`v1/runs${query({ limit: 1000, after })}`, { signal, patient });
      runs.push(...page.runs);
      after = page.next;
      if (after === undefined) return runs;
    }
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return [];
    throw error;
  }
}

/** An answer that has not come after so long may never come: who asks on their own asks again. */
export const HANGS_MS = 10_000;

/**
 * @param {string} name
 * @returns {Promise<Queue>}
 */
export function showQueue(name) {
  return json(at(name));
}

/**
 * @param {string} name
 * @param {Settings} [settings] null resets one
 * @returns {Promise<{queue: Queue, made: boolean}>}
 */
export async function putQueue(name, settings) {
  const response = await send(at(name), request('PUT', settings ?? {}));
  return { queue: await response.json(), made: response.status === 201 };
}

/**
 * @param {string} name
 * @param {boolean} force also while items are leased
 */
export function deleteQueue(name, force) {
  return json(`${at(name)}${query({ force: force || undefined })}`, request('DELETE'));
}

/**
 * @param {string} name
 * @param {'seal' | 'reopen' | 'pause' | 'resume'} what
 * @returns {Promise<Queue>}
 */
export function change(name, what) {
  return json(`${at(name)}/${what}`, request('POST'));
}

/**
 * @param {string} name
 * @param {string[]} states
 * @returns {Promise<Queue & {affected: number}>}
 */
export function purge(name, states) {
  return json(`${at(name)}/purge${query({ state: states.join(',') })}`, request('POST'));
}

/**
 * @param {string} name
 * @param {Record<string, unknown>} which
 * @returns {Promise<Queue & {affected: number}>}
 */
export function redrive(name, which) {
  return json(`${at(name)}/redrive`, request('POST', which));
}

/**
 * @typedef {{create?: boolean, seal?: boolean, lines?: boolean, delay_ms?: number, priority?: number,
 *   key?: string, group?: string, ttl_ms?: number}} EnqueueOptions
 * @param {string} name
 * @param {Blob | string} body
 * @param {EnqueueOptions & {ids?: boolean}} options
 * @param {{ndjson?: boolean, idempotencyKey: string, signal?: AbortSignal}} how
 * @returns {Promise<{count: number, items?: {id: string, duplicate: boolean}[]}>}
 */
export async function enqueue(name, body, options, { ndjson = false, idempotencyKey, signal }) {
  const type = ndjson ? 'application/x-ndjson' : 'application/octet-stream';
  // Bytes: a Blob's own type would decide how the server reads it.
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : await body.arrayBuffer();
  const headers = { 'Content-Type': type, 'Idempotency-Key': idempotencyKey };
  return json(`${at(name)}/items${query(options)}`, { method: 'POST', body: bytes, headers, signal });
}

/**
 * @param {string} name
 * @param {{state?: string, group?: string, limit?: number, after?: string}} which
 * @param {AbortSignal} [signal]
 * @returns {Promise<{items: Item[], next?: string}>}
 */
export function listItems(name, which, signal) {
  return json(`${at(name)}/items${query(which)}`, { signal });
}

/**
 * @param {string} name
 * @param {string} id
 * @param {AbortSignal} [signal]
 * @returns {Promise<Item>}
 */
export function showItem(name, id, signal) {
  return json(`${at(name)}/items/${encodeURIComponent(id)}`, { signal });
}

/**
 * @param {string} name
 * @param {string} id
 */
export function cancelItem(name, id) {
  return json(`${at(name)}/items/${encodeURIComponent(id)}`, request('DELETE'));
}

/**
 * @param {string} name
 * @param {string} id
 * @param {number | undefined} attempt the last that ended where none is named
 * @param {AbortSignal} [signal]
 */
export async function itemLog(name, id, attempt, signal) {
  const response = await send(`${at(name)}/items/${encodeURIComponent(id)}/log${query({ attempt })}`, { signal });
  return response.text();
}

/**
 * @param {string} name
 * @param {number} after
 * @param {number} limit
 * @param {AbortSignal} [signal]
 * @returns {Promise<Outcome[]>}
 */
export async function outcomes(name, after, limit, signal) {
  const response = await send(`${at(name)}/outcomes${query({ after, limit })}`, { signal });
  const text = await response.text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/**
 * The stream of events, not read yet.
 * @param {AbortSignal} signal
 * @param {boolean} patient a 401 is not asked about but told
 */
export function events(signal, patient) {
  return send('v1/events', { signal, patient, headers: { Accept: 'text/event-stream' } });
}
