//! What one can do to a queue and its items. What destroys is asked back once, in a dialog that says what is lost.

import * as api from './api.js';
import { fill, h, setText } from './dom.js';
import { openDialog, tick } from './dialog.js';
import { count, counted, exactly, shortId } from './format.js';
import { complain, say } from './notices.js';
import { go, queuesAddress } from './router.js';

/** @typedef {import('./store.js').Store} Store */

const DONE = {
  pause: 'is paused: no new leases are given',
  resume: 'gives leases again',
  seal: 'is sealed: it takes no new items',
  reopen: 'takes new items again',
};

/** @param {import('./api.js').Queue & {affected: number}} answer */
const queueOf = ({ affected, ...queue }) => queue;

/**
 * @param {Store} store
 * @param {string} name
 * @param {'pause' | 'resume' | 'seal' | 'reopen'} what
 */
export async function change(store, name, what) {
  try {
    await store.answered(name, api.change(name, what), (queue) => queue);
    say(`${name} ${DONE[what]}.`);
  } catch (error) {
    complain(error);
  }
}

/**
 * Asks which of a queue's items to throw away, and does it.
 * @param {Store} store
 * @param {string} name
 * @param {string[]} [chosen] states that are ticked at first
 * @returns {Promise<boolean>} whether it was done
 */
export function purge(store, name, chosen = ['ready', 'delayed']) {
  const states = /** @type {const} */ (['ready', 'delayed', 'dead']);
  const counts = store.queues.get(name)?.queue.counts;
  const boxes = states.map((state) =>
    tick(`${state} (${count(counts?.[state])})`, { name: state, checked: chosen.includes(state) }),
  );
  const lost = h('p', { class: 'loss', 'aria-live': 'polite' });
  const ticked = () => states.filter((_, i) => boxes[i].box.checked);
  return openDialog({
    title: `Purge ${name}`,
    danger: true,
    submit: 'Purge',
    body: [
      h(
        'p',
        null,
        'Throws items away. They leave no outcome and cannot be brought back. Leased items stay with their workers.',
      ),
      h('fieldset', null, h('legend', null, 'Items that are'), ...boxes.map((box) => box.element)),
      lost,
    ],
    async act() {
      if (ticked().length === 0) throw new Error('tick what is to be thrown away');
      const { affected } = await store.answered(name, api.purge(name, ticked()), queueOf);
      say(`${counted(affected, 'item')} of ${name} thrown away.`);
    },
    opened({ submit }) {
      const show = () => {
        const now = store.queues.get(name)?.queue.counts;
        const sum = ticked().reduce((all, state) => all + (now?.[state] ?? 0), 0);
        setText(lost, `${counted(sum, 'item')} will be lost.`);
        setText(submit, `Purge ${counted(sum, 'item')}`);
      };
      for (const { box } of boxes) box.addEventListener('change', show);
      show();
    },
  });
}

/**
 * Asks whether to throw all dead items of a queue away, and does it.
 * @param {Store} store
 * @param {string} name
 * @returns {Promise<boolean>} whether it was done
 */
export function throwAwayDead(store, name) {
  const dead = counted(store.queues.get(name)?.queue.counts.dead ?? 0, 'dead item');
  return openDialog({
    title: `Throw away ${dead}`,
    danger: true,
    submit: `Throw away ${dead}`,
    cancel: 'Keep',
    body: [
      h('p', { class: 'loss' }, `${dead} of ${name} will be lost, whatever the filter shows.`),
      h('p', null, 'They leave no outcome and cannot be redriven after that.'),
    ],
    async act() {
      const { affected } = await store.answered(name, api.purge(name, ['dead']), queueOf);
      say(`${counted(affected, 'dead item')} thrown away.`);
    },
  });
}

/**
 * Asks whether to delete a queue, and does it.
 * @param {Store} store
 * @param {string} name
 */
export function remove(store, name) {
  const { counts } = store.queues.get(name)?.queue ?? { counts: { ready: 0, leased: 0, delayed: 0, dead: 0, done: 0 } };
  const force = tick(`Also take ${counted(counts.leased, 'leased item')} from the workers that hold them`, {
    name: 'force',
  });
  const loses = [
    [counts.ready, 'ready'],
    [counts.leased, 'leased'],
    [counts.delayed, 'delayed'],
    [counts.dead, 'dead'],
  ]
    .filter(([n]) => Number(n) > 0)
    .map(([n, state]) => `${exactly(Number(n))} ${state}`);
  const held = counts.ready + counts.leased + counts.delayed + counts.dead;
  openDialog({
    title: `Delete ${name}`,
    danger: true,
    submit: 'Delete queue',
    body: [
      h(
        'p',
        { class: held === 0 ? null : 'loss' },
        held === 0 ? 'The queue holds no items.' : `${counted(held, 'item')} will be lost: ${loses.join(', ')}.`,
      ),
      h(
        'p',
        null,
        `Its settings go too, and what is known of ${counted(counts.done, 'finished item')}. This cannot be undone.`,
      ),
      counts.leased > 0 ? force.element : null,
    ],
    async act() {
      await store.answered(name, api.deleteQueue(name, force.box.checked), () => null);
      say(`${name} is deleted.`);
      go(queuesAddress());
    },
  });
}

/** From so many items on, one click is not enough to start them all again. */
const MANY = 100;

/**
 * Makes dead items ready again; asks back where there are many: nothing makes them dead again.
 * @param {Store} store
 * @param {string} name
 * @param {Record<string, unknown>} which
 * @param {number} most how many that are at most
 * @returns {Promise<boolean>} whether it was done
 */
export function redriveMany(store, name, which, most) {
  if (most <= MANY) return redrive(store, name, which);
  const all = Object.keys(which).length === 0;
  const words = `${all ? '' : 'up to '}${counted(most, 'dead item')}`;
  let done = false;
  return openDialog({
    title: `Redrive ${words}`,
    submit: `Redrive ${all ? counted(most, 'item') : 'all that match'}`,
    body: [
      h('p', null, `${words[0].toUpperCase()}${words.slice(1)} of ${name} become ready, and workers begin with them at once.`),
      h('p', null, 'Nothing is lost. Their attempts count from 0 again, and no call makes them dead again.'),
    ],
    async act() {
      done = await redrive(store, name, which);
    },
  }).then(() => done);
}

/**
 * Makes dead items ready again.
 * @param {Store} store
 * @param {string} name
 * @param {Record<string, unknown>} which
 * @returns {Promise<boolean>} whether it was done
 */
export async function redrive(store, name, which) {
  try {
    const { affected } = await store.answered(name, api.redrive(name, which), queueOf);
    say(
      affected === 0
        ? 'No dead item is like that.'
        : `${counted(affected, 'item')} of ${name} ${affected === 1 ? 'is' : 'are'} ready again.`,
    );
    return true;
  } catch (error) {
    complain(error, 'Redrive failed');
    return false;
  }
}

/** What happens to an item that is cancelled. */
const CANCELLED = {
  ready: 'It is taken out of the queue and leaves an outcome as cancelled.',
  delayed: 'It is taken out of the queue and leaves an outcome as cancelled.',
  leased: 'Its worker loses the lease: what it has done by now counts for nothing.',
  dead: 'A dead item is thrown away and cannot be redriven after that.',
};

/**
 * Asks whether to cancel items, and does it.
 * @param {string} name
 * @param {{id: string, state: string}[]} items
 * @returns {Promise<boolean>} whether it was done
 */
export function cancel(name, items) {
  const dead = items.every((item) => item.state === 'dead');
  const what = items.length === 1 ? `item ${shortId(items[0].id)}` : counted(items.length, 'item');
  const state = /** @type {keyof typeof CANCELLED} */ (items[0].state);
  const progress = h('p', { role: 'status' });
  return openDialog({
    title: dead ? `Throw away ${what}` : `Cancel ${what}`,
    danger: true,
    submit: dead ? `Throw away ${items.length === 1 ? 'item' : what}` : `Cancel ${items.length === 1 ? 'item' : what}`,
    cancel: 'Keep',
    body: [
      h('p', { class: 'loss' }, `${counted(items.length, 'item')} of ${name} will be lost.`),
      h('p', null, CANCELLED[state] ?? CANCELLED.ready),
      progress,
    ],
    async act() {
      let gone = 0;
      for (const item of items) {
        await api.cancelItem(name, item.id).catch((error) => {
          // Gone by itself meanwhile: as wanted.
          if (error.code !== 'no_such_item') throw error;
        });
        gone += 1;
        if (items.length > 10) setText(progress, `${exactly(gone)} of ${exactly(items.length)}`);
      }
      say(dead ? `${counted(gone, 'dead item')} thrown away.` : `${counted(gone, 'item')} cancelled.`);
    },
  });
}

/**
 * Shows a longer text in a dialog, such as what an attempt printed.
 * @param {string} title
 * @param {(body: HTMLElement) => Promise<void>} load
 */
export function showText(title, load) {
  const body = h('div', { 'aria-live': 'polite', 'aria-busy': 'true' }, h('p', { class: 'muted' }, 'Loading…'));
  openDialog({
    title,
    wide: true,
    submit: 'Close',
    body: [body],
    act() {},
    opened({ dialog }) {
      const hold = h('div');
      load(hold)
        .then(
          () => fill(body, hold),
          (error) => fill(body, h('p', { class: 'problem' }, error.message)),
        )
        .finally(() => body.setAttribute('aria-busy', 'false'));
      // There is nothing to cancel.
      dialog.querySelector('.dialog-end button[type=button]')?.remove();
    },
  });
}
