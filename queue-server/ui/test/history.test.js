import assert from 'node:assert/strict';
import { test } from 'node:test';

import { History, row as rowOf } from '../history.js';

/** @param {number} at @param {Partial<import('../history.js').Row>} [more] */
function row(at, more) {
  return { at, ready: 0, leased: 0, delayed: 0, dead: 0, enqueued: 0, done: 0, ended: 0, failed: 0, ...more };
}

test('a second has one row, and the newest is as things are', () => {
  const history = new History();
  for (let at = 0; at <= 4_000; at += 250) history.add(row(at, { ready: at }));
  assert.ok(history.rows.length <= 6, `${history.rows.length} rows`);
  assert.equal(history.rows.at(-1)?.ready, 4_000);
});

test('between two changes things are as they were', () => {
  const history = new History();
  history.add(row(0, { ready: 5 }));
  history.add(row(10_000, { ready: 7 }));
  assert.equal(history.asOf(-1), undefined);
  assert.equal(history.asOf(9_999)?.ready, 5);
  assert.equal(history.asOf(10_000)?.ready, 7);
  assert.equal(history.asOf(99_999)?.ready, 7);
});

test('a rate is what a total grew by, and falls to nothing when nothing comes', () => {
  const history = new History();
  for (let s = 0; s <= 20; s += 1) history.add(row(s * 1_000, { enqueued: s * 10 }));
  assert.equal(history.rate('enqueued', 2_000, 30_000), undefined);
  assert.equal(history.rate('enqueued', 20_000, 10_000), 10);
  assert.equal(history.rate('enqueued', 25_000, 10_000), 5);
  assert.equal(history.rate('enqueued', 60_000, 10_000), 0);
});

test('a queue that was made anew has another history', () => {
  const history = new History();
  history.add(row(0, { enqueued: 100 }));
  history.add(row(2_000, { enqueued: 3 }));
  assert.equal(history.rows.length, 1);
});

test('a day of changes costs as much as an hour of them', () => {
  const history = new History();
  for (let s = 0; s < 86_400; s += 1) history.add(row(s * 1_000, { enqueued: s }));
  assert.ok(history.rows.length <= 500, `${history.rows.length} rows`);
  assert.equal(history.rate('enqueued', 86_399_000, 60_000), 1);
});

/** A row a second: what is enqueued and what is ready grow by one each. @param {number} seconds */
function steady(seconds) {
  const history = new History();
  for (let s = 0; s < seconds; s += 1) history.add(row(s * 1_000, { ready: s, enqueued: s }));
  return { history, now: (seconds - 1) * 1_000 };
}

test('an hour is shown as it was, wherever one looks', () => {
  const { history, now } = steady(2 * 3_600);
  for (const [spanMs, spacing] of [
    [120_000, 1],
    [600_000, 5],
    [3_600_000, 20],
  ]) {
    history.looks(now, spanMs, 180).forEach((look, i) => {
      const truth = (now - spanMs + (spanMs * (i + 1)) / 180) / 1_000;
      assert.ok(look !== undefined && Math.abs(look.ready - truth) <= spacing, `${look?.ready} at ${truth}`);
    });
  }
});

test('a steady rate is steady over each span', () => {
  const { history, now } = steady(2 * 3_600);
  for (const spanMs of [120_000, 600_000, 3_600_000]) {
    const step = spanMs / 180;
    for (let at = now - spanMs + step; at <= now; at += step) {
      const rate = history.rate('enqueued', at, Math.max(step * 2, 5_000)) ?? NaN;
      assert.ok(Math.abs(rate - 1) < 0.01, `${rate} a second, ${(now - at) / 1_000} s ago`);
    }
  }
});

test('a burst after a long rest is a burst, however long ago', () => {
  const history = new History();
  history.add(row(0));
  history.add(row(1_000_000, { enqueued: 600 }));
  for (let s = 0; s < 40; s += 1) history.add(row(1_030_000 + s * 60_000, { enqueued: 600 + s }));
  assert.equal(history.rate('enqueued', 990_000, 40_000), 0);
  assert.equal(history.rate('enqueued', 1_010_000, 20_000), 30);
});

test('what changed while nobody listened is spread over that time', () => {
  const history = new History();
  history.add(row(0));
  history.add({ ...row(60_000, { enqueued: 120 }), since: 0 });
  assert.equal(history.rate('enqueued', 30_000, 10_000), 2);
});

test('an item that dies of its last nack failed once', () => {
  const totals = { enqueued: 1, acked: 0, nacked: 1, lease_expired: 0, dead: 1, taken: 0 };
  const counts = { ready: 0, leased: 0, delayed: 0, dead: 1, done: 0 };
  assert.equal(rowOf(/** @type {any} */ ({ counts, totals }), 0).failed, 1);
});
