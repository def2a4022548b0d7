//! What a queue was over time, as far as this page saw it: the server keeps no such thing. Pure.
//!
//! A row is kept where something changed, at most one a second; of rows older than a few minutes half are let go
//! each time there are too many. So an idle queue costs nothing, and an hour costs as much as a day.

/**
 * @typedef {{at: number, ready: number, leased: number, delayed: number, dead: number, enqueued: number,
 *   done: number, ended: number, failed: number}} Row `ended` is done or died, `failed` are attempts
 */

const MOST_ROWS = 400;
const FINE_ROWS = 200;
const SPACING_MS = 1_000;

/**
 * @param {import('./api.js').Queue} queue
 * @param {number} at milliseconds
 * @returns {Row}
 */
export function row(queue, at) {
  const { counts, totals } = queue;
  return {
    at,
    ready: counts.ready,
    leased: counts.leased,
    delayed: counts.delayed,
    dead: counts.dead,
    enqueued: totals.enqueued,
    done: totals.acked + totals.taken,
    ended: totals.acked + totals.taken + totals.dead,
    failed: totals.nacked + totals.dead + totals.lease_expired,
  };
}

/** The rows of one queue. */
export class History {
  /** @type {Row[]} */
  rows = [];

  /** @param {Row} next */
  add(next) {
    const last = this.rows.at(-1);
    // Another queue of the same name, or a server that forgot: nothing to compare with.
    if (last && (next.enqueued < last.enqueued || next.ended < last.ended)) this.rows = [];
    const before = this.rows.at(-2);
    // The newest row is always as things are now; it becomes one to keep when a second is over.
    if (last && before && last.at - before.at < SPACING_MS && this.rows.length > 1) this.rows.pop();
    this.rows.push(next);
    if (this.rows.length > MOST_ROWS) this.#thin();
  }

  #thin() {
    const fine = this.rows.length - FINE_ROWS;
    this.rows = this.rows.filter((_, i) => i >= fine || i % 2 === 0);
  }

  /**
   * As it was at a time: the last row not after it.
   * @param {number} at
   * @returns {Row | undefined}
   */
  asOf(at) {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].at <= at) low = middle + 1;
      else high = middle;
    }
    return this.rows[low - 1];
  }

  /**
   * How much a total grew a second, over the time that ended at `now`.
   * @param {'enqueued' | 'done' | 'ended' | 'failed'} total
   * @param {number} now
   * @param {number} windowMs
   * @returns {number | undefined} nothing where it was not seen for three seconds yet
   */
  rate(total, now, windowMs) {
    const first = this.rows[0];
    const last = this.asOf(now);
    if (!first || !last || now - first.at < 3_000) return undefined;
    const from = Math.max(now - windowMs, first.at);
    const then = this.asOf(from) ?? first;
    return ((last[total] - then[total]) * 1_000) / (now - from);
  }

  /**
   * `many` equally spaced looks at a time that ends at `now`.
   * @param {number} now
   * @param {number} spanMs
   * @param {number} many
   * @returns {(Row | undefined)[]}
   */
  looks(now, spanMs, many) {
    return Array.from({ length: many }, (_, i) => this.asOf(now - spanMs + (spanMs * (i + 1)) / many));
  }
}
