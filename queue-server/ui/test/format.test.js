import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as format from '../format.js';

test('numbers are exact as long as they are short', () => {
  assert.equal(format.count(0), '0');
  assert.equal(format.count(999_999), '999,999');
  assert.equal(format.count(1_250_000), '1.25M');
  assert.equal(format.count(undefined), '–');
  assert.equal(format.counted(1, 'item'), '1 item');
  assert.equal(format.counted(1_200, 'item'), '1,200 items');
});

test('rates have two digits where they are small', () => {
  assert.equal(format.rate(0), '0');
  assert.equal(format.rate(0.0004), '0');
  assert.equal(format.rate(0.0234), '0.023');
  assert.equal(format.rate(7.26), '7.3');
  assert.equal(format.rate(1234.5), '1,235');
  assert.equal(format.rate(undefined), '–');
});

test('durations have their two largest units', () => {
  assert.equal(format.duration(0), '0 ms');
  assert.equal(format.duration(-5), '0 ms');
  assert.equal(format.duration(999), '999 ms');
  assert.equal(format.duration(1_250), '1.2 s');
  assert.equal(format.duration(59_999), '59 s');
  assert.equal(format.duration(60_000), '1 m');
  assert.equal(format.duration(3_725_000), '1 h 2 m');
  assert.equal(format.duration(273_600_000), '3 d 4 h');
  assert.equal(format.duration(NaN), '–');
  assert.equal(format.ago(200), 'just now');
  assert.equal(format.ago(5_400), '5 s ago');
});

test('sizes go up by 1024', () => {
  assert.equal(format.bytes(1), '1 byte');
  assert.equal(format.bytes(1023), '1023 bytes');
  assert.equal(format.bytes(1024), '1 KiB');
  assert.equal(format.bytes(1536), '1.5 KiB');
  assert.equal(format.bytes(1024 ** 2 * 20), '20 MiB');
  assert.equal(format.bytes(1024 ** 2 - 1), '1.0 MiB');
});

test('a percentage is 100 only when it is all, and 0 only when it is nothing', () => {
  assert.equal(format.percent(0, 10), 0);
  assert.equal(format.percent(1, 1_000_000), 1);
  assert.equal(format.percent(999_999, 1_000_000), 99);
  assert.equal(format.percent(10, 10), 100);
  assert.equal(format.percent(0, 0), 0);
});

test('a preview is one line of characters that are seen', () => {
  assert.equal(format.preview('a\n\tb   c'), 'a b c');
  assert.equal(format.preview('<b>x</b>'), '<b>x</b>');
  assert.equal(format.preview('evil \u202egnp.exe\u0000'), 'evil ·gnp.exe·');
  assert.equal(format.preview('x'.repeat(1_000_000), 10), `${'x'.repeat(10)}…`);
  assert.equal(format.preview(undefined), '');
  assert.equal(format.firstLine('\n\n  it failed\nand more'), 'it failed');
});

test('bytes are shown as digits and signs', () => {
  assert.equal(format.hex(new Uint8Array([0, 0x41, 0xff]), 16).replace(/ +/g, ' '), '000000 00 41 ff .A.');
  assert.equal(format.hex(new Uint8Array(40), 20).split('\n').length, 2);
});

test('an id is known by its end', () => {
  assert.equal(format.shortId('698f1aac5b3b194e0000000000000002'), '…00000002');
});

test('an error of a command is told apart from what it printed', () => {
  assert.deepEqual(format.partedError('exit code 1'), { why: 'exit code 1', output: '' });
  assert.deepEqual(format.partedError('exit code 1\nat line 3\n--- stderr\nno such file\n--- stdout\nreading'), {
    why: 'exit code 1\nat line 3',
    output: '--- stderr\nno such file\n--- stdout\nreading',
  });
  assert.deepEqual(format.partedError('the rule --- stdout\nis no stream'), {
    why: 'the rule --- stdout\nis no stream',
    output: '',
  });
});

test('of an error the line is shown that tells why', () => {
  const of = (/** @type {string} */ why) =>
    format.tellingLine(`${why}\n--- stderr\nreading a\ncannot open: no such file\n\n--- stdout\nhello\nbye`);
  assert.equal(of('exited with code 3'), 'cannot open: no such file');
  assert.equal(of('ran for longer than 30 s'), 'ran for longer than 30 s: cannot open: no such file');
  assert.equal(format.tellingLine('exited with code 3\n--- stdout\nhello\nbye'), 'bye');
  assert.equal(format.tellingLine('exited with code 3\n--- stderr\n \n--- stdout\nbye'), 'bye');
  assert.equal(format.tellingLine('exited with code 3'), 'exited with code 3');
  assert.equal(format.tellingLine('timeout after 30 s\nat line 7'), 'timeout after 30 s');
  assert.equal(format.tellingLine(undefined), '');
});
