//! The small words beside a name: how a queue, an item, or a run is.

import { h } from './dom.js';
import { counted } from './format.js';

/** @typedef {{text: string, kind: string, title?: string}} Badge */

/**
 * How a queue is, beside its counts.
 * @param {import('./api.js').Queue} queue
 * @returns {Badge[]}
 */
export function queueBadges(queue) {
  /** @type {Badge[]} */
  const badges = [];
  if (queue.paused) badges.push({ text: 'paused', kind: 'warn', title: 'No new leases are given' });
  if (queue.drained) {
    const dead = queue.outcome === 'dead';
    badges.push({
      text: dead ? `drained, ${counted(queue.counts.dead, 'dead', 'dead')}` : 'drained',
      kind: dead ? 'bad' : 'good',
      title: 'Sealed, and nothing is left to do',
    });
  } else if (queue.sealed) badges.push({ text: 'sealed', kind: 'plain', title: 'No new items are taken' });
  else if (queue.empty)
    badges.push({ text: 'empty', kind: 'plain', title: 'Nothing is left to do; new items may come' });
  return badges;
}

/** @param {Badge} badge */
export function badge({ text, kind, title }) {
  return h('span', { class: `badge badge-${kind}`, title }, text);
}

const ITEM_KINDS = {
  ready: 'ready',
  leased: 'leased',
  delayed: 'delayed',
  dead: 'bad',
  done: 'good',
  expired: 'plain',
  cancelled: 'plain',
};

/** @param {string} state of an item */
export function stateBadge(state) {
  return badge({ text: state, kind: ITEM_KINDS[/** @type {keyof typeof ITEM_KINDS} */ (state)] ?? 'plain' });
}

const PHASES = /** @type {Record<string, string>} */ ({
  Pending: 'plain',
  Running: 'ready',
  Stopping: 'warn',
  Succeeded: 'good',
  Failed: 'bad',
  Cancelled: 'warn',
  Skipped: 'plain',
});

/** @param {string} phase of a run or a step */
export function phaseBadge(phase) {
  return badge({ text: phase.toLowerCase(), kind: PHASES[phase] ?? 'plain' });
}
