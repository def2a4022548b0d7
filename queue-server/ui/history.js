//! What a queue was over time, as far as this page saw it: the server keeps no such thing. Pure.
//!
//! A row is kept where something changed, and the older it is the further apart its neighbours are: one a second of the
//! last minutes, one in 20 seconds of the last hour, none of what is older. So an idle queue costs nothing, a busy one
//! some 400 rows, and what is left lies evenly over the time that a chart shows.

/**
 * @typedef {{at: number, since?: number, ready: number, leased: number, delayed: number, dead: number,
 *   enqueued: number, done: number, ended: number, failed: number}} Row `ended` is done or died, `failed` are attempts;
 *   what changed since the row before did so between `since` and `at`
 */

const SPACING_MS = 1_000;
/** How far apart rows are by their age; each spacing is a multiple of the one before, and older rows are let go. */
const TIERS = [
  { until: 2.5 * 60_000, spacing: SPACING_MS },
  { until: 11 * 60_000, spacing: 5_000 },
  { until: 62 * 60_000, spacing: 20_000 },
];
const OLDEST_MS = TIERS[TIERS.length - 1].until;
/** Rows that may come before the old ones are gone through again. */
const THIN_EVERY = 32;

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
    // Not `dead`: who dies of the last nack is among the nacked.
    failed: totals.nacked + totals.lease_expired,
  };
}

/** The rows of one queue. */
export class History {
  /** @type {Row[]} */
  rows = [];

  #added = 0;

  /**
   * @param {Row} next without `since`, it changed in the second before
   */
  add(next) {
    const last = this.rows.at(-1);
    // Another queue of the same name, or a server that forgot: nothing to compare with.
    if (last && (next.enqueued < last.enqueued || next.ended < last.ended)) this.rows = [];
    const before = this.rows.at(-2);
    let since = Math.max(next.since ?? next.at - SPACING_MS, this.rows.at(-1)?.at ?? 0);
    // The newest row is always as things are now; it becomes one to keep when a second is over.
    if (last && before && last.at - before.at < SPACING_MS) {
      since = last.since ?? last.at;
      this.rows.pop();
    }
    this.rows.push({ ...next, since: Math.min(since, next.at) });
    this.#added += 1;
    if (this.#added >= THIN_EVERY) this.#thin(next.at);
  }

  /**
   * Keeps the last row of each stretch of time: what a total grew by is never lost, but when it did gets vaguer. Going
   * over the same rows again changes nothing, since the stretches of old rows are made of whole ones of younger rows.
   * @param {number} now
   */
  #thin(now) {
    this.#added = 0;
    /** @type {Row[]} */
    const kept = [];
    /** @type {number | undefined} */
    let since;
    this.rows.forEach((row, i) => {
      const spacing = TIERS.find(({ until }) => now - row.at < until)?.spacing;
      const next = this.rows[i + 1];
      // One row from before is left: it says how things were when the time began.
      if (spacing === undefined && next && now - next.at >= OLDEST_MS) return;
      if (spacing !== undefined && next && Math.floor(next.at / spacing) === Math.floor(row.at / spacing)) {
        since ??= row.since;
        return;
      }
      kept.push(since === undefined ? row : { ...row, since });
      since = undefined;
    });
    this.rows = kept;
  }

  /**
   * As it was at a time: the last row not after it.
   * @param {number} at
   * @returns {Row | undefined}
   */
  asOf(at) {
    return this.rows[this.#behind(at) - 1];
  }

  /**
   * The place of the first row after a time.
   * @param {number} at
   */
  #behind(at) {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].at <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * What a total was at a time: as of the row before, and on the way to the next while it changed.
   * @param {'enqueued' | 'done' | 'ended' | 'failed'} total
   * @param {number} at not before the first row
   */
  #total(total, at) {
    const place = this.#behind(at);
    const then = this.rows[place - 1];
    const next = this.rows[place];
    const since = next?.since ?? next?.at;
    if (next === undefined || since === undefined || at <= since) return then[total];
    return then[total] + ((next[total] - then[total]) * (at - since)) / (next.at - since);
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
    if (!first || now - first.at < 3_000) return undefined;
    const from = Math.max(now - windowMs, first.at);
    return ((this.#total(total, now) - this.#total(total, from)) * 1_000) / (now - from);
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
