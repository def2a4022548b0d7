//! The runs that are reported to this server: what `memq run` and the controller are at.

import { serverNow } from '../api.js';
import { phaseBadge } from '../badges.js';
import { fill, h, time } from '../dom.js';
import { duration, exactly, moment, percent, preview } from '../format.js';
import { runAddress } from '../router.js';
import { cell, line, nameCell, tableOf } from '../tables.js';

/** @typedef {import('../api.js').Run} Run */

/** @param {Run} run */
export function isOver(run) {
  return run.ended !== undefined;
}

/**
 * How long a run or a step has taken by now.
 * @param {{started?: string, ended?: string}} it
 */
export function taken({ started, ended }) {
  if (started === undefined) return undefined;
  return (ended === undefined ? serverNow() : Date.parse(ended)) - Date.parse(started);
}

/** @param {Run} run */
function itemsOf(run) {
  const sum = (/** @type {'done' | 'failed' | 'total'} */ key) =>
    run.steps.reduce((all, step) => all + (step[key] ?? 0), 0);
  return { done: sum('done'), failed: sum('failed'), total: sum('total') };
}

/**
 * A bar with its words.
 * @param {{done?: number, failed?: number, total?: number}} of
 * @param {string} label
 */
export function progress({ done = 0, failed = 0, total = 0 }, label) {
  const ended = percent(done + failed, total);
  const bar = h('div', {
    class: 'bar',
    role: 'progressbar',
    'aria-label': label,
    'aria-valuemin': 0,
    'aria-valuemax': 100,
    'aria-valuenow': ended,
    'aria-valuetext': `${exactly(done)} done and ${exactly(failed)} failed of ${exactly(total)}`,
  });
  for (const [kind, n] of /** @type {const} */ ([
    ['done', done],
    ['failed', failed],
  ])) {
    const part = h('span', { class: `bar-${kind}` });
    // Set by the object model and not by an attribute, which the policy of the page forbids.
    part.style.width = `${total > 0 ? Math.min(100, (100 * n) / total) : 0}%`;
    bar.append(part);
  }
  return bar;
}

/** @param {import('../app.js').Scope} scope */
export function runsView(scope) {
  const { store } = scope;
  const { table, body: tbody } = tableOf('Runs', [
    ['Run', 'name'],
    ['Phase'],
    ['Steps'],
    ['Items'],
    ['Started'],
    ['Took', 'number'],
  ]);
  const none = h('div', { class: 'empty' });
  const update = () => {
    // Who stands in a line keeps standing there.
    const focused =
      document.activeElement instanceof HTMLAnchorElement && tbody.contains(document.activeElement)
        ? document.activeElement.hash
        : null;
    const runs = [...store.runs.values()].sort(
      (a, b) => Date.parse(b.started ?? '') - Date.parse(a.started ?? '') || (a.run < b.run ? -1 : 1),
    );
    fill(tbody, ...runs.map(runLine));
    table.hidden = runs.length === 0;
    none.hidden = runs.length > 0;
    if (runs.length === 0)
      fill(none, ...(store.loaded ? nothing() : [h('p', { class: 'muted' }, 'Connecting to the server…')]));
    if (focused !== null) tbody.querySelectorAll('a').forEach((link) => link.hash === focused && link.focus());
  };
  let changed = false;
  scope.onChange((changes) => {
    if (changes.everything) update();
    else changed ||= changes.runs.size > 0;
  });
  scope.every(1_000, () => {
    if (changed || [...store.runs.values()].some((run) => !isOver(run))) {
      changed = false;
      update();
    }
  });
  update();
  return {
    title: 'Runs',
    element: h(
      'section',
      { class: 'page' },
      h('div', { class: 'head' }, h('h1', null, 'Runs')),
      h('div', { class: 'card flush' }, table, none),
    ),
  };
}

function nothing() {
  return [
    h('p', null, 'No run has reported to this server.'),
    h(
      'p',
      { class: 'muted' },
      'A run is one execution of a spec: ',
      h('code', null, 'memq run SPEC'),
      ' on this machine, or the controller in a cluster. Their steps are shown here while they go on.',
    ),
  ];
}

/** @param {Run} run */
function runLine(run) {
  const items = itemsOf(run);
  const over = run.steps.filter(({ phase }) => phase !== 'Pending' && phase !== 'Running').length;
  const sub = (/** @type {string} */ words) => h('span', { class: 'sub' }, words);
  const stale = h(
    'span',
    { class: 'badge badge-warn', title: `Not heard of since ${moment(run.updated)}` },
    'not heard of',
  );
  return line(
    nameCell(
      h('a', { href: runAddress(run.run) }, run.run),
      sub(run.namespace === undefined ? run.spec : `${run.spec} in ${run.namespace}`),
    ),
    cell('Phase', [phaseBadge(run.phase), run.stale && stale, run.message ? sub(preview(run.message, 100)) : null]),
    cell('Steps', `${exactly(over)} of ${exactly(run.steps.length)}`),
    cell(
      'Items',
      items.total === 0 ? '–' : [progress(items, `Items of ${run.run}`), sub(itemWords(items))],
      'progress-cell',
    ),
    cell('Started', time(run.started, moment(run.started)), 'when'),
    cell('Took', duration(taken(run)), 'number'),
  );
}

/** @param {{done?: number, failed?: number, total?: number}} of */
export function itemWords({ done = 0, failed = 0, total = 0 }) {
  const words = `${exactly(done)} of ${exactly(total)} done`;
  return failed > 0 ? `${words}, ${exactly(failed)} failed` : words;
}
