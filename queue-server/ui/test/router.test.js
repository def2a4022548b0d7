import assert from 'node:assert/strict';
import { test } from 'node:test';

import { itemAddress, parse, queueAddress, queuesAddress, runAddress } from '../router.js';

/** What an address names, without its query. */
function named(/** @type {string} */ hash) {
  const { query: _, ...rest } = parse(hash);
  return rest;
}

test('addresses name pages', () => {
  assert.deepEqual(named(''), { page: 'queues' });
  assert.deepEqual(named('#/queues'), { page: 'queues' });
  assert.deepEqual(named('#/queues/a.b'), { page: 'queue', queue: 'a.b', tab: 'overview' });
  assert.deepEqual(named('#/queues/q/dead?error=x'), { page: 'queue', queue: 'q', tab: 'dead' });
  assert.deepEqual(named('#/queues/q/items/00ff'), { page: 'item', queue: 'q', id: '00ff' });
  assert.deepEqual(named('#/runs'), { page: 'runs' });
  assert.deepEqual(named('#/runs/nightly-1'), { page: 'run', run: 'nightly-1' });
});

test('an address that names nothing is no page', () => {
  for (const hash of ['#/nothing', '#/queues/q/nothing', '#/queues/q/dead/x', '#/runs/a/b', '#/queues/%']) {
    assert.equal(parse(hash).page, 'unknown', hash);
  }
});

test('what an address is made of comes back out of it', () => {
  const name = 'odd/name?#%';
  assert.deepEqual(named(queueAddress(name, 'joblog')), { page: 'queue', queue: name, tab: 'joblog' });
  assert.deepEqual(named(itemAddress(name, '1')), { page: 'item', queue: name, id: '1' });
  assert.deepEqual(named(runAddress(name)), { page: 'run', run: name });
  assert.equal(parse(queueAddress('q', 'items', { state: 'dead', group: '' })).query.toString(), 'state=dead');
  assert.equal(parse(queuesAddress({ find: 'a&b' })).query.get('find'), 'a&b');
});
