//! One run: its steps in their order, how far each is, when it will be done, and what holds it up.

import { phaseBadge } from '../badges.js';
import { fill, h, time } from '../dom.js';
import { duration, exactly, moment, rate } from '../format.js';
import { queueAddress } from '../router.js';
import { isOver, itemWords, progress, taken } from './runs.js';

/** @typedef {import('../api.js').Run} Run */
/** @typedef {import('../api.js').Step} Step */

/**
 * @param {import('../app.js').Scope} scope
 * @param {{run: string}} route
 */
export function runView(scope, { run: name }) {
  const { store } = scope;
  const badges = h('span', { class: 'badges', role: 'status' });
  const facts = h('dl', { class: 'facts wide-facts' });
  const message = h('p', { class: 'message' });
  const steps = h('ol', { class: 'steps' });
  const gone = h('p', { class: 'empty' });
  const whole = h(
    'div',
    null,
    h('section', { class: 'card' }, h('h2', { class: 'unseen' }, 'What is known'), message, facts),
    h('h2', null, 'Steps'),
    steps,
  );
  const element = h(
    'section',
    { class: 'page' },
    h('nav', { class: 'crumbs', 'aria-label': 'Where you are' }, h('a', { href: '#/runs' }, 'Runs')),
    h('div', { class: 'head' }, h('h1', null, name), badges),
    gone,
    whole,
  );
  let badgeWords = '';
  const update = () => {
    const run = store.runs.get(name);
    whole.hidden = run === undefined;
    gone.hidden = run !== undefined;
    if (run === undefined) {
      fill(badges);
      badgeWords = '';
      fill(
        gone,
        store.loaded
          ? [
              'No run ',
              h('strong', null, name),
              ' has reported to this server since it was started. ',
              h('a', { href: '#/runs' }, 'All runs'),
            ]
          : 'Connecting to the server…',
      );
      return;
    }
    const words = `${run.phase} ${run.stale}`;
    if (words !== badgeWords) {
      badgeWords = words;
      fill(badges, phaseBadge(run.phase), run.stale ? h('span', { class: 'badge badge-warn' }, 'not heard of') : null);
    }
    message.hidden = !run.message && !run.stale;
    fill(
      message,
      run.message ?? '',
      run.stale ? ` Not heard of since ${moment(run.updated)}: whoever runs it may be gone.` : '',
    );
    const list = [
      ['Spec', run.spec],
      ['Namespace', run.namespace],
      ['Started', run.started && time(run.started, moment(run.started))],
      ['Ended', run.ended && time(run.ended, moment(run.ended))],
      [isOver(run) ? 'Took' : 'Runs for', duration(taken(run))],
    ];
    fill(
      facts,
      ...list
        .filter(([, value]) => value !== undefined)
        .map(([label, value]) => h('div', null, h('dt', null, label ?? ''), h('dd', null, value))),
    );
    // Links may hold the focus, and steps change once a second.
    const focused =
      document.activeElement instanceof HTMLAnchorElement && steps.contains(document.activeElement)
        ? document.activeElement.hash
        : null;
    fill(steps, ...run.steps.map(stepCard));
    if (focused !== null) steps.querySelectorAll('a').forEach((link) => link.hash === focused && link.focus());
  };
  scope.onChange((changes) => {
    if (changes.everything || changes.runs.has(name)) update();
  });
  scope.every(1_000, () => {
    const run = store.runs.get(name);
    if (run && !isOver(run)) update();
  });
  update();
  return { title: `Run ${name}`, element };
}

/** @param {Step} step */
function stepCard(step) {
  const { total = 0, workers } = step;
  const left = step.ended === undefined && step.eta_ms !== undefined ? `${duration(step.eta_ms)} left` : null;
  const facts = /** @type {[string, import('../dom.js').Child][]} */ ([
    [step.ended === undefined ? 'Runs for' : 'Took', step.started === undefined ? undefined : duration(taken(step))],
    ['Rate', step.rate_per_s === undefined ? undefined : `${rate(step.rate_per_s)} a second`],
    ['Workers', workers === undefined ? undefined : workerWords(workers)],
    ['Held to this size by', step.binding],
    [
      'Queues',
      step.queues?.length
        ? step.queues.map((queue, i) => [i > 0 ? ', ' : '', h('a', { href: queueAddress(queue) }, queue)])
        : undefined,
    ],
  ]).filter(([, value]) => value !== undefined);
  return h(
    'li',
    { class: 'card step' },
    h(
      'div',
      { class: 'step-head' },
      h('h3', null, step.name),
      phaseBadge(step.phase),
      h('span', { class: 'grow' }),
      left,
    ),
    // A step that counts nothing is itself what is to do: its phase says it all.
    total > 1 || step.queues?.length
      ? [progress(step, `Progress of ${step.name}`), h('p', { class: 'step-words' }, itemWords(step))]
      : null,
    step.message ? h('p', { class: 'message' }, step.message) : null,
    facts.length === 0
      ? null
      : h(
          'dl',
          { class: 'facts' },
          ...facts.map(([label, value]) => h('div', null, h('dt', null, label), h('dd', null, value))),
        ),
  );
}

/** @param {NonNullable<Step['workers']>} workers */
function workerWords({ busy, idle, wanted }) {
  const parts = [
    busy === undefined ? '' : `${exactly(busy)} busy`,
    idle === undefined ? '' : `${exactly(idle)} idle`,
    wanted === undefined ? '' : `${exactly(wanted)} wanted`,
  ];
  return parts.filter((part) => part !== '').join(', ');
}
