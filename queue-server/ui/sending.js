//! Sending items so that none is sent twice: what the server took of a text or a file, and the name of the request
//! whose answer is not known yet. Knows no fields; the call itself is handed in.

import { ApiError } from './api.js';
import { pieces } from './upload.js';

/**
 * What was sent when something failed or was stopped. The server keeps what it took; the next try goes on behind it,
 * with the `key` of the request that nobody answered.
 * @typedef {{what: string, of: File | string, end: number, count: number, duplicates: number, key?: string,
 *   id?: string}} Sent
 * @typedef {{count: number, items?: {id: string, duplicate: boolean}[]}} Answer
 * @typedef {(piece: Blob, how: {last: boolean, idempotencyKey: string}) => Promise<Answer>} Call
 */

const TRIES = 5;

/**
 * A name for a request that may be sent again. Not `randomUUID`, which pages without TLS do not have.
 */
function idempotencyKey() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return `web-${[...random].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/**
 * What was sent of this before; nothing where anything about it is different.
 * @param {Sent | null} before
 * @param {unknown} what where it goes, in which form, with which options
 * @param {File | string} of
 * @returns {Sent}
 */
export function sentOf(before, what, of) {
  const words = JSON.stringify(what);
  if (before !== null && before.of === of && before.what === words) return before;
  return { what: words, of, end: 0, count: 0, duplicates: 0 };
}

/**
 * One item, whole.
 * @param {Sent} sent
 * @param {Blob} body
 * @param {Call} call
 */
export async function sendOne(sent, body, call) {
  take(sent, body.size, await named(sent, (key) => call(body, { last: true, idempotencyKey: key })));
}

/**
 * Many items, a piece at a time.
 * @param {Sent} sent
 * @param {Blob} body
 * @param {Call} call
 * @param {{progress?: (bytes: number) => void, bytes?: number, pauseMs?: number}} [how] `bytes` of a piece; `pauseMs`
 *   before the first further try
 */
export async function sendMany(sent, body, call, { progress, bytes, pauseMs = 1_000 } = {}) {
  const begin = sent.end;
  for await (const { data, end } of pieces(body.slice(begin), bytes === undefined ? {} : { bytes })) {
    const last = begin + end >= body.size;
    const piece = new Blob([/** @type {BlobPart} */ (data)]);
    const answer = await named(sent, (key) => patiently(() => call(piece, { last, idempotencyKey: key }), pauseMs));
    take(sent, begin + end, answer);
    progress?.(sent.end);
  }
}

/**
 * @param {Sent} sent
 * @param {number} end
 * @param {Answer} answer
 */
function take(sent, end, { count, items = [] }) {
  sent.end = end;
  sent.count += count;
  sent.duplicates += items.filter((item) => item.duplicate).length;
  sent.id = items[0]?.id;
}

/**
 * Calls by the same name until it is known what became of it.
 * @param {Sent} sent
 * @param {(key: string) => Promise<Answer>} call
 */
async function named(sent, call) {
  sent.key ??= idempotencyKey();
  try {
    const answer = await call(sent.key);
    sent.key = undefined;
    return answer;
  } catch (error) {
    // Refused: nothing was taken. Of anything else the server may have taken it, and only the answer is lost.
    const refused = error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 408;
    if (refused) sent.key = undefined;
    throw error;
  }
}

/**
 * Tries again what failed for a moment alone: many pieces should not stop at one of them.
 * @template T
 * @param {() => Promise<T>} call
 * @param {number} pauseMs
 * @returns {Promise<T>}
 */
async function patiently(call, pauseMs) {
  for (let tried = 1; ; tried += 1) {
    try {
      return await call();
    } catch (error) {
      const passing =
        error instanceof ApiError && (error.status === 0 || error.status === 503 || error.code === 'overloaded');
      if (!passing || tried === TRIES) throw error;
      const wait = Math.min(error.retryAfterMs ?? pauseMs * 2 ** (tried - 1), 10_000);
      await new Promise((resolve) => setTimeout(resolve, wait, undefined));
    }
  }
}
