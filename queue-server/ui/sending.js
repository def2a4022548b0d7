//! Sending items so that none is sent twice. Knows no fields and no queue; the call itself is handed in.
//!
//! The server remembers each request that it took by its name, and answers the same request again without taking it.
//! So all of a text or a file is sent again, by the same names, whatever became of it before. Where it should go on is
//! not kept: the queue may have been deleted and made anew, or the server may have lost it, and only the server knows.

import { ApiError } from './api.js';
import { pieces } from './upload.js';

/**
 * A text or a file on its way. `what`: where it goes, in which form, with which options; `since`: when it was sent
 * first. It is `new` while nothing of it may be in, and `done` when all of it is known to be.
 * @typedef {{name: string, what: string, of: File | string, since: number,
 *   state: 'new' | 'uncertain' | 'done'}} Sending
 * @typedef {{count: number, items?: {id: string, duplicate: boolean}[]}} Answer
 * @typedef {(piece: Blob, how: {last: boolean, idempotencyKey: string}) => Promise<Answer>} Call
 * What was taken: items, how many of them were left out as duplicates, and the id of the last answer's first.
 * @typedef {{count: number, duplicates: number, id?: string}} Taken
 */

const TRIES = 5;
/** A server forgets a name after 24 hours; an hour is for sending. */
const REMEMBERED_MS = 23 * 60 * 60 * 1_000;

/**
 * A name that no other sending has. Not `randomUUID`, which pages without TLS do not have.
 */
function freshName() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return `web-${[...random].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/**
 * Whether the server knows by the sending's name what it took of this.
 * @param {Sending | null} sending
 * @param {string} what
 * @param {File | string} of
 * @returns {sending is Sending}
 */
export function isSame(sending, what, of) {
  return sending?.of === of && sending.what === what && Date.now() - sending.since < REMEMBERED_MS;
}

/**
 * The sending before, or one of its own where anything is different.
 * @param {Sending | null} before
 * @param {string} what
 * @param {File | string} of
 * @returns {Sending}
 */
export function sendingOf(before, what, of) {
  if (isSame(before, what, of)) return before;
  return { name: freshName(), what, of, since: Date.now(), state: 'new' };
}

/**
 * One item, whole.
 * @param {Sending} sending
 * @param {Blob} body
 * @param {Call} call
 */
export async function sendOne(sending, body, call) {
  const answer = await marked(sending, () => call(body, { last: true, idempotencyKey: sending.name }));
  sending.state = 'done';
  return add({ count: 0, duplicates: 0 }, answer);
}

/**
 * Many items, a piece at a time, from the first.
 * @param {Sending} sending
 * @param {Blob} body
 * @param {Call} call
 * @param {{progress?: (bytes: number, taken: Taken) => void, bytes?: number, pauseMs?: number}} [how] `bytes` of a
 *   piece; `pauseMs` before the first further try
 */
export async function sendMany(sending, body, call, { progress, bytes, pauseMs = 1_000 } = {}) {
  /** @type {Taken} */
  let taken = { count: 0, duplicates: 0 };
  let number = 0;
  for await (const { data, end } of pieces(body, bytes === undefined ? {} : { bytes })) {
    number += 1;
    const piece = new Blob([/** @type {BlobPart} */ (data)]);
    const how = { last: end >= body.size, idempotencyKey: `${sending.name}-${number}` };
    taken = add(taken, await patiently(() => marked(sending, () => call(piece, how)), pauseMs));
    progress?.(end, taken);
  }
  sending.state = 'done';
  return taken;
}

/**
 * @param {Taken} before
 * @param {Answer} answer
 * @returns {Taken}
 */
function add({ count, duplicates }, { count: more, items = [] }) {
  const again = items.filter((item) => item.duplicate).length;
  return { count: count + more, duplicates: duplicates + again, id: items[0]?.id };
}

/**
 * Of what was called and not refused the server may have taken it, even if the answer is lost.
 * @param {Sending} sending
 * @param {() => Promise<Answer>} call
 */
async function marked(sending, call) {
  const before = sending.state;
  sending.state = 'uncertain';
  try {
    return await call();
  } catch (error) {
    const refused = error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 408;
    if (refused) sending.state = before;
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
