import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SseReader } from '../sse.js';

test('events are whole however they are cut', () => {
  const text = 'event: snapshot\ndata: {"queues":[]}\n\n: still here\n\nevent: queue\ndata: {"name":"ä"}\n\n';
  const expected = [
    { event: 'snapshot', data: '{"queues":[]}' },
    { event: 'queue', data: '{"name":"ä"}' },
  ];
  assert.deepEqual(new SseReader().push(text), expected);
  for (const size of [1, 2, 3, 7, 20]) {
    const reader = new SseReader();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...reader.push(text.slice(at, at + size)));
    assert.deepEqual(events, expected, `in pieces of ${size}`);
  }
});

test('an event has no name of another, and may have many lines', () => {
  const reader = new SseReader();
  assert.deepEqual(reader.push('event: a\ndata:1\n\ndata: 2\ndata: 3\nid: 4\n\n'), [
    { event: 'a', data: '1' },
    { event: 'message', data: '2\n3' },
  ]);
  assert.deepEqual(reader.push('event: b\r\ndata: x\r\n\r\n'), [{ event: 'b', data: 'x' }]);
});

test('what is not whole is not told', () => {
  const reader = new SseReader();
  assert.deepEqual(reader.push('event: a\ndata: 1\n'), []);
  assert.deepEqual(reader.push('\n'), [{ event: 'a', data: '1' }]);
});
