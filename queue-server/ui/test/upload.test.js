import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pieces } from '../upload.js';

/** @param {string} text @param {{bytes?: number, lines?: number}} most */
async function cut(text, most) {
  const found = [];
  let last = 0;
  for await (const { data, end } of pieces(new Blob([text]), most)) {
    found.push(new TextDecoder().decode(data));
    last = end;
  }
  assert.equal(found.join(''), text);
  assert.equal(last, new Blob([text]).size);
  return found;
}

test('a file is cut behind its lines', async () => {
  assert.deepEqual(await cut('aa\nbb\ncc\n', { bytes: 6 }), ['aa\nbb\n', 'cc\n']);
  assert.deepEqual(await cut('aa\nbb\ncc', { bytes: 7 }), ['aa\nbb\n', 'cc']);
  assert.deepEqual(await cut('one', { bytes: 7 }), ['one']);
});

test('a piece has no more lines than it may', async () => {
  assert.deepEqual(await cut('a\nb\nc\nd\ne', { lines: 2 }), ['a\nb\n', 'c\nd\n', 'e']);
});

test('a line that is longer than a piece stays whole', async () => {
  assert.deepEqual(await cut('a\nlonger than that\nb\n', { bytes: 4 }), ['a\n', 'longer than that\nb\n']);
});

test('a file of nothing has no pieces', async () => {
  for await (const piece of pieces(new Blob([]))) assert.fail(`a piece of ${piece.end}`);
});
