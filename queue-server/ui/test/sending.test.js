import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ApiError } from '../api.js';
import { isSame, sendMany, sendOne, sendingOf } from '../sending.js';

/** A queue that takes each named request once, and whose answers get lost as it is told. */
class Queue {
  /** @type {Map<string, number>} */
  answered = new Map();
  /** @type {string[]} */
  lines = [];
  lose = 0;
  refuse = 0;

  /** @type {import('../sending.js').Call} */
  take = async (piece, { idempotencyKey }) => {
    if (this.refuse > 0) {
      this.refuse -= 1;
      throw new ApiError(429, 'queue_full', 'the queue is full');
    }
    const lines = (await piece.text()).split('\n').filter((line) => line !== '');
    if (!this.answered.has(idempotencyKey)) {
      this.answered.set(idempotencyKey, lines.length);
      this.lines.push(...lines);
    }
    if (this.lose > 0) {
      this.lose -= 1;
      throw new ApiError(0, 'unreachable', 'the server cannot be reached');
    }
    return { count: this.answered.get(idempotencyKey) ?? 0 };
  };
}

const ROWS = 'aa\nbb\ncc\ndd\n';
const PIECES = { bytes: 6, pauseMs: 0 };

test('an item whose answer was lost is not enqueued twice, however often one presses', async () => {
  const queue = new Queue();
  queue.lose = 2;
  let sending = sendingOf(null, 'one', 'hello');
  await assert.rejects(sendOne(sending, new Blob(['hello']), queue.take));
  await assert.rejects(sendOne(sending, new Blob(['hello']), queue.take));
  assert.equal(sending.state, 'uncertain');
  sending = sendingOf(sending, 'one', 'hello');
  assert.equal((await sendOne(sending, new Blob(['hello']), queue.take)).count, 1);
  assert.equal(sending.state, 'done');
  // Nor if the same sending is begun again by somebody who has not heard of it.
  assert.equal((await sendOne(sending, new Blob(['hello']), queue.take)).count, 1);
  assert.deepEqual(queue.lines, ['hello']);
});

test('a piece whose answers were all lost is taken once, and the rest behind it', async () => {
  const queue = new Queue();
  const body = new Blob([ROWS]);
  const sending = sendingOf(null, 'lines', ROWS);
  queue.lose = 5;
  await assert.rejects(sendMany(sending, body, queue.take, PIECES), /cannot be reached/);
  assert.equal((await sendMany(sending, body, queue.take, PIECES)).count, 4);
  assert.deepEqual(queue.lines, ['aa', 'bb', 'cc', 'dd']);
});

test('a queue that was made anew in between gets all of it', async () => {
  const old = new Queue();
  const sending = sendingOf(null, 'lines', ROWS);
  let calls = 0;
  /** @type {import('../sending.js').Call} */
  const breaksOff = (piece, how) => {
    calls += 1;
    if (calls > 1) throw new ApiError(0, 'unreachable', 'the server cannot be reached');
    return old.take(piece, how);
  };
  await assert.rejects(sendMany(sending, new Blob([ROWS]), breaksOff, PIECES));
  assert.deepEqual(old.lines, ['aa', 'bb']);
  const anew = new Queue();
  assert.equal((await sendMany(sending, new Blob([ROWS]), anew.take, PIECES)).count, 4);
  assert.deepEqual(anew.lines, ['aa', 'bb', 'cc', 'dd']);
});

test('of what was refused nothing is in, unless something was before', async () => {
  const queue = new Queue();
  const sending = sendingOf(null, 'one', 'hello');
  queue.refuse = 1;
  await assert.rejects(sendOne(sending, new Blob(['hello']), queue.take), /full/);
  assert.equal(sending.state, 'new');
  queue.lose = 1;
  await assert.rejects(sendOne(sending, new Blob(['hello']), queue.take), /reached/);
  queue.refuse = 1;
  await assert.rejects(sendOne(sending, new Blob(['hello']), queue.take), /full/);
  assert.equal(sending.state, 'uncertain');
  await sendOne(sending, new Blob(['hello']), queue.take);
  assert.deepEqual(queue.lines, ['hello']);
});

test('another text or option is another sending, and so is one that the server has forgotten', () => {
  const sending = sendingOf(null, 'lines', 'text');
  assert.equal(sendingOf(sending, 'lines', 'text'), sending);
  for (const [what, of] of [
    ['lines', 'other'],
    ['one', 'text'],
  ]) {
    assert.ok(!isSame(sending, what, of));
    assert.notEqual(sendingOf(sending, what, of).name, sending.name);
  }
  const hours = (/** @type {number} */ many) => ({ ...sending, since: sending.since - many * 3_600_000 });
  assert.ok(isSame(hours(22), 'lines', 'text'));
  assert.ok(!isSame(hours(24), 'lines', 'text'));
});
