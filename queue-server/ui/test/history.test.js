import assert from 'node:assert/strict';
import { test } from 'node:test';

import { History } from '../history.js';

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

test('a day of changes costs as much as ten minutes of them', () => {
  const history = new History();
  for (let s = 0; s < 86_400; s += 1) history.add(row(s * 1_000, { enqueued: s }));
  assert.ok(history.rows.length <= 400);
  assert.ok((history.rows[0]?.at ?? 0) < 3_600_000 * 24);
  assert.equal(history.rate('enqueued', 86_399_000, 60_000), 1);
});
