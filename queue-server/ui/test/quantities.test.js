import assert from 'node:assert/strict';
import { test } from 'node:test';

import { nameProblem, parseBytes, parseDuration, parseNumber, writeBytes, writeDuration } from '../quantities.js';
import { nested } from '../patch.js';

test('durations are read as people write them', () => {
  assert.equal(parseDuration('30s'), 30_000);
  assert.equal(parseDuration('1h30m'), 5_400_000);
  assert.equal(parseDuration(' 1 h 30 m '), 5_400_000);
  assert.equal(parseDuration('250ms'), 250);
  assert.equal(parseDuration('1.5s'), 1_500);
  assert.equal(parseDuration('250'), 250);
  for (const wrong of ['', 'soon', '-1s', '1x', '1s!', 's']) assert.ok(Number.isNaN(parseDuration(wrong)), wrong);
});

test('a duration that is written is read back as it was', () => {
  for (const ms of [0, 1, 250, 1_000, 5_400_000, 604_800_000, 86_400_001])
    assert.equal(parseDuration(writeDuration(ms)), ms);
  assert.equal(writeDuration(604_800_000), '7d');
});

test('sizes are read with their unit, and back', () => {
  assert.equal(parseBytes('64 KiB'), 65_536);
  assert.equal(parseBytes('1mib'), 1_048_576);
  assert.equal(parseBytes('1kb'), 1_000);
  assert.equal(parseBytes('17'), 17);
  assert.ok(Number.isNaN(parseBytes('many')));
  assert.ok(Number.isNaN(parseBytes('1 xib')));
  for (const n of [1, 1_000, 65_536, 1_048_576, 268_435_456]) assert.equal(parseBytes(writeBytes(n)), n);
});

test('numbers may have separators', () => {
  assert.equal(parseNumber('1,000,000'), 1_000_000);
  assert.equal(parseNumber('0.5'), 0.5);
  assert.ok(Number.isNaN(parseNumber('5 apples')));
});

test('a part of the back-off is sent with its other parts', () => {
  const settings = { lease_ms: 30_000, backoff: { min_ms: 1_000, max_ms: 300_000, factor: 2 } };
  assert.deepEqual(nested({ 'backoff.factor': 3, lease_ms: 5 }, settings), {
    lease_ms: 5,
    backoff: { min_ms: 1_000, max_ms: 300_000, factor: 3 },
  });
  assert.deepEqual(nested({ 'backoff.min_ms': null }, settings), { backoff: { max_ms: 300_000, factor: 2 } });
  assert.deepEqual(settings.backoff, { min_ms: 1_000, max_ms: 300_000, factor: 2 });
});

test('a name that is none says what is wrong with it', () => {
  for (const good of ['a', '_x', 'a.b-c_D9', 'a'.repeat(128)]) assert.equal(nameProblem(good), '', good);
  assert.match(nameProblem(''), /name the queue/);
  assert.match(nameProblem('my queue'), /no blanks/);
  assert.match(nameProblem('ä'), /no “ä”/);
  assert.match(nameProblem('a😀'), /no “😀”/u);
  assert.match(nameProblem('-a'), /begin with “-”/);
  assert.match(nameProblem('a'.repeat(129)), /128/);
  assert.match(nameProblem('_other'), /metrics/);
});
