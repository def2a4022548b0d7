//! What the page knows of the server: queues, runs, and how they were. Told by events.js, asked by the views.
//!
//! Everything that changed between two frames is told of at once, in the frame: a thousand queues that change four
//! times a second cost one pass over those that are shown. Counting goes on while the page is not painted.

import { History, row } from './history.js';

/** @typedef {import('./api.js').Queue} Queue */
/** @typedef {import('./api.js').Run} Run */
/**
 * A queue as it was told of last, with what was seen of it.
 * @typedef {{queue: Queue, at: number, history: History}} Known
 * @typedef {{queues: Set<string>, runs: Set<string>, everything: boolean}} Changes
 */

/** What all rates are the mean of, wherever they are shown as a number. */
export const RATE_WINDOW_MS = 30_000;

export class Store {
  /** @type {Map<string, Known>} */
  queues = new Map();
  /** @type {Map<string, Run>} */
  runs = new Map();
  /** Whether the server was heard at all. */
  loaded = false;
  /** @type {Set<(changes: Changes) => void>} */
  #listeners = new Set();
  /** @type {Changes | null} */
  #pending = null;
  /** When the server said something last. @type {number | undefined} */
  #heard;

  /**
   * All there is.
   * @param {Queue[]} queues
   * @param {Run[]} runs
   * @returns {boolean} whether the server forgot something it knew before, so that it was started anew
   */
  snapshot(queues, runs) {
    const names = new Set(queues.map((queue) => queue.name));
    let forgot = false;
    for (const name of this.queues.keys()) {
      if (names.has(name)) continue;
      this.queues.delete(name);
      this.#changes().queues.add(name);
    }
    // What is new in it happened at some time since the server was heard last.
    const since = this.#heard;
    for (const queue of queues) forgot = this.#take(queue, since) || forgot;
    this.runs = new Map(runs.map((run) => [run.run, run]));
    this.loaded = true;
    this.#changes().everything = true;
    return forgot;
  }

  /** @param {Queue} queue */
  queue(queue) {
    this.#take(queue);
  }

  /**
   * Takes what a call says of its queue, unless the server told of the queue while it was on its way: that may be newer,
   * and where it is older, the server tells of the queue once more.
   * @template T
   * @param {string} name
   * @param {Promise<T>} call
   * @param {(answer: T) => Queue | null} queueOf null: the queue is gone
   * @returns {Promise<T>} the answer
   */
  async answered(name, call, queueOf) {
    const before = this.queues.get(name);
    const answer = await call;
    if (this.queues.get(name) !== before) return answer;
    const queue = queueOf(answer);
    if (queue === null) this.deleted(name);
    else this.queue(queue);
    return answer;
  }

  /** @param {string} name */
  deleted(name) {
    this.queues.delete(name);
    this.#changes().queues.add(name);
  }

  /** @param {Run} run */
  run(run) {
    this.runs.set(run.run, run);
    this.#changes().runs.add(run.run);
  }

  /** @param {string} name */
  runDeleted(name) {
    this.runs.delete(name);
    this.#changes().runs.add(name);
  }

  /**
   * Is called in the next frame after something changed, until the signal aborts.
   * @param {(changes: Changes) => void} listener
   * @param {AbortSignal} signal
   */
  listen(listener, signal) {
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => this.#listeners.delete(listener));
  }

  /**
   * @param {Queue} queue
   * @param {number} [since] when it began to change; else just before
   * @returns {boolean} whether the server measured more before than it has now
   */
  #take(queue, since) {
    const at = Date.now();
    this.#heard = at;
    const known = this.queues.get(queue.name);
    const history = known?.history ?? new History();
    history.add({ ...row(queue, at), since });
    this.queues.set(queue.name, { queue, at, history });
    this.#changes().queues.add(queue.name);
    const measured = (/** @type {Queue | undefined} */ q) => q?.handling?.completions ?? 0;
    return measured(known?.queue) > measured(queue);
  }

  #changes() {
    if (this.#pending === null) {
      this.#pending = { queues: new Set(), runs: new Set(), everything: false };
      requestAnimationFrame(() => this.#tell());
    }
    return this.#pending;
  }

  #tell() {
    const changes = this.#pending;
    this.#pending = null;
    if (changes === null) return;
    for (const listener of [...this.#listeners]) listener(changes);
  }
}

/**
 * Items that ended a second, done or dead, as it is now: of what was seen here, and in the first moments as the server said.
 * @param {Known} known
 * @param {number} now
 */
export function endedPerSecond({ queue, at, history }, now) {
  const seen = history.rate('ended', now, RATE_WINDOW_MS);
  // The server looks back a minute, but only as of the moment in which it told.
  return seen === undefined && now - at < 10_000 ? queue.rate_per_s : seen;
}

/**
 * Items that came in a second.
 * @param {Known} known
 * @param {number} now
 */
export function enqueuedPerSecond({ history }, now) {
  return history.rate('enqueued', now, RATE_WINDOW_MS);
}

/**
 * How long the oldest ready item has been there by now.
 * @param {Known} known
 * @param {number} now
 */
export function oldestReady({ queue, at }, now) {
  if (queue.oldest_ready_ms === undefined || queue.counts.ready === 0) return undefined;
  return queue.oldest_ready_ms + Math.max(0, now - at);
}

/**
 * How long until nothing is unfinished at the present rate; nobody knows while a queue is paused.
 * @param {Known} known
 * @param {number} now
 */
export function timeLeft(known, now) {
  if (known.queue.paused) return undefined;
  const perSecond = endedPerSecond(known, now);
  if (known.queue.unfinished === 0 || !perSecond || perSecond < 0.001) return undefined;
  return (known.queue.unfinished * 1_000) / perSecond;
}
