import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ApiError } from '../api.js';
import { sendMany, sendOne, sentOf } from '../sending.js';

/** A server that takes each named request once, and whose answers get lost as it is told. */
class Server {
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

test('an item whose answer was lost is not enqueued twice, however often one presses', async () => {
  const server = new Server();
  server.lose = 2;
  let sent = sentOf(null, ['q', 'one', {}], 'hello');
  await assert.rejects(sendOne(sent, new Blob(['hello']), server.take));
  await assert.rejects(sendOne(sent, new Blob(['hello']), server.take));
  sent = sentOf(sent, ['q', 'one', {}], 'hello');
  await sendOne(sent, new Blob(['hello']), server.take);
  assert.deepEqual(server.lines, ['hello']);
  assert.equal(sent.count, 1);
});

test('a piece whose answers were all lost is taken once, and the rest behind it', async () => {
  const server = new Server();
  const body = new Blob(['aa\nbb\ncc\ndd\n']);
  const sent = sentOf(null, ['q', 'lines', {}], 'aa\nbb\ncc\ndd\n');
  server.lose = 5;
  await assert.rejects(sendMany(sent, body, server.take, { bytes: 6, pauseMs: 0 }), /cannot be reached/);
  await sendMany(sent, body, server.take, { bytes: 6, pauseMs: 0 });
  assert.deepEqual(server.lines, ['aa', 'bb', 'cc', 'dd']);
  assert.equal(sent.count, 4);
});

test('what was refused is sent by another name', async () => {
  const server = new Server();
  server.refuse = 1;
  const sent = sentOf(null, ['q', 'one', {}], 'hello');
  await assert.rejects(sendOne(sent, new Blob(['hello']), server.take), /full/);
  assert.equal(sent.key, undefined);
  await sendOne(sent, new Blob(['hello']), server.take);
  assert.deepEqual(server.lines, ['hello']);
});

test('another text, form, option or queue is another sending', () => {
  const sent = sentOf(null, ['q', 'lines', { priority: 1 }], 'text');
  assert.equal(sentOf(sent, ['q', 'lines', { priority: 1 }], 'text'), sent);
  for (const [what, of] of /** @type {[unknown, string][]} */ ([
    [['q', 'lines', { priority: 1 }], 'other'],
    [['q', 'ndjson', { priority: 1 }], 'text'],
    [['q', 'lines', { priority: 2 }], 'text'],
    [['p', 'lines', { priority: 1 }], 'text'],
  ])) {
    assert.notEqual(sentOf(sent, what, of), sent);
  }
});
