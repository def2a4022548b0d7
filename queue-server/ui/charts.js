//! Charts: a queue's depth and rates over time, drawn by uPlot, and the small lines of the list.
//!
//! Each has its text beside it: a legend with the values at the cursor, and a sentence for who does not see it.

import { button, fill, h, setAttribute, setText, svg } from './dom.js';
import { clock, count, rate } from './format.js';
import { RATE_WINDOW_MS } from './store.js';

/**
 * @typedef {{label: string, color: string, fill?: boolean}} Line `color` is the name of a custom property
 * @typedef {{title: string, lines: Line[], whole?: boolean, unit: (n: number | undefined) => string,
 *   describe: (data: (number | null)[][], now: (number | undefined)[]) => string, hint?: string}} ChartOptions
 */

const HEIGHT = 190;
/** Steps of an axis of things that are not cut in parts. */
const WHOLE_STEPS = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((n) => n * 10 ** power)).flat();

/** The vendored script's global: it is no module. */
const uPlot = /** @type {any} */ (globalThis).uPlot;

/**
 * A colour as the canvas wants it: what a custom property is in the present theme.
 * @param {Element} near
 * @param {string} name
 */
function colour(near, name) {
  const probe = h('span', { class: `probe ${name}` });
  near.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** A chart of lines over time. */
export class Chart {
  #options;
  #plot = h('div', { class: 'plot', 'aria-hidden': 'true' });
  #words = h('p', { class: 'unseen' });
  #values;
  /** @type {any} */
  #drawn = null;
  /** @type {(number | null)[][]} */
  #data = [];
  /** @type {(number | undefined)[]} */
  #now = [];
  #cursor = -1;

  /**
   * @param {ChartOptions} options
   * @param {AbortSignal} signal
   */
  constructor(options, signal) {
    this.#options = options;
    this.#values = options.lines.map(() => h('span', { class: 'legend-value' }, ''));
    const legend = options.lines.map((line, i) =>
      h(
        'li',
        null,
        h('span', { class: `swatch ${line.color}`, 'aria-hidden': 'true' }),
        h('span', null, line.label),
        this.#values[i],
      ),
    );
    this.element = h(
      'figure',
      { class: 'chart card' },
      h('figcaption', null, h('h3', null, options.title), options.hint && h('span', { class: 'hint' }, options.hint), h('ul', { class: 'legend' }, ...legend)),
      this.#plot,
      this.#words,
    );
    const resized = new ResizeObserver(() => {
      const width = this.#plot.clientWidth;
      if (this.#drawn && width > 0 && width !== this.#drawn.width) this.#drawn.setSize({ width, height: HEIGHT });
    });
    resized.observe(this.#plot);
    const again = () => this.#redraw();
    document.addEventListener('themechange', again, { signal });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', again, { signal });
    signal.addEventListener('abort', () => {
      resized.disconnect();
      this.#drawn?.destroy();
    });
  }

  /**
   * @param {(number | null)[][]} data times in seconds, then a row of values a line
   * @param {(number | undefined)[]} [now] what is said where no moment is pointed at; else the last of each row
   */
  show(data, now) {
    this.#data = data;
    this.#now = now ?? data.slice(1).map((row) => row.at(-1) ?? undefined);
    if (this.#drawn) this.#drawn.setData(data);
    else this.#redraw();
    this.#tellValues();
    setText(this.#words, this.#options.describe(data, this.#now));
  }

  #tellValues() {
    const at = this.#cursor;
    this.#values.forEach((value, i) =>
      setText(value, this.#options.unit(at >= 0 ? (this.#data[i + 1]?.[at] ?? undefined) : this.#now[i])),
    );
  }

  #redraw() {
    this.#drawn?.destroy();
    this.#drawn = null;
    const width = this.#plot.clientWidth;
    if (width === 0 || this.#data.length === 0) return;
    const of = (/** @type {string} */ name) => colour(this.element, name);
    const text = of('c-muted');
    const grid = { stroke: of('c-grid'), width: 1 };
    const font = '11px system-ui, sans-serif';
    const options = {
      width,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
      scales: {
        y: {
          range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ high) => [
            0,
            Math.max(1, high * 1.08),
          ],
        },
      },
      axes: [
        {
          stroke: text,
          grid,
          ticks: { show: false },
          font,
          space: 70,
          size: 26,
          gap: 6,
          values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map((s) => clock(s * 1_000)),
        },
        {
          stroke: text,
          grid,
          ticks: { show: false },
          font,
          size: 52,
          gap: 6,
          incrs: this.#options.whole ? WHOLE_STEPS : undefined,
          values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map((n) => this.#options.unit(n)),
        },
      ],
      series: [
        {},
        ...this.#options.lines.map((line) => ({
          label: line.label,
          stroke: of(line.color),
          fill: line.fill ? of(`${line.color}-soft`) : undefined,
          width: 1.75,
          points: { show: false },
        })),
      ],
      hooks: {
        setCursor: [
          (/** @type {any} */ plot) => {
            this.#cursor = plot.cursor.idx ?? -1;
            this.#tellValues();
          },
        ],
      },
    };
    this.#drawn = new uPlot(options, this.#data, this.#plot);
  }
}

const LOOKS = 180;

/**
 * The depth of a queue over a span of time, for a chart.
 * @param {import('./history.js').History} history
 * @param {number} now
 * @param {number} spanMs
 * @returns {(number | null)[][]}
 */
export function depthData(history, now, spanMs) {
  const rows = history.looks(now, spanMs, LOOKS);
  const pick = (/** @type {'ready' | 'leased' | 'delayed' | 'dead'} */ name) => rows.map((row) => row?.[name] ?? null);
  return [times(now, spanMs), pick('ready'), pick('leased'), pick('delayed'), pick('dead')];
}

/**
 * What happened a second over a span of time, for a chart.
 * @param {import('./history.js').History} history
 * @param {number} now
 * @param {number} spanMs
 * @returns {(number | null)[][]}
 */
export function rateData(history, now, spanMs) {
  const step = spanMs / LOOKS;
  // Wide enough that single items do not look like a storm.
  const window = Math.max(step * 2, 5_000);
  const of = (/** @type {'enqueued' | 'done' | 'failed'} */ total) =>
    Array.from({ length: LOOKS }, (_, i) => history.rate(total, now - spanMs + step * (i + 1), window) ?? null);
  return [times(now, spanMs), of('enqueued'), of('done'), of('failed')];
}

/**
 * What happens a second by now, as the figures above a chart say it.
 * @param {import('./history.js').History} history
 * @param {number} now
 */
export function ratesNow(history, now) {
  return /** @type {const} */ (['enqueued', 'done', 'failed']).map((total) =>
    history.rate(total, now, RATE_WINDOW_MS),
  );
}

/**
 * @param {number} now
 * @param {number} spanMs
 */
function times(now, spanMs) {
  return Array.from({ length: LOOKS }, (_, i) => (now - spanMs + (spanMs * (i + 1)) / LOOKS) / 1_000);
}

/**
 * A sentence of what a chart shows.
 * @param {string[]} labels
 * @param {(n: number | undefined) => string} unit
 */
export function describing(labels, unit) {
  return (/** @type {(number | null)[][]} */ data, /** @type {(number | undefined)[]} */ now) => {
    const parts = labels.map((label, i) => {
      const seen = data[i + 1].filter((n) => n !== null);
      if (seen.length === 0) return `${label}: nothing seen yet`;
      return `${label}: ${unit(now[i])} now, between ${unit(Math.min(...seen))} and ${unit(Math.max(...seen))}`;
    });
    return `${parts.join('; ')}.`;
  };
}

export const unitOf = {
  depth: count,
  rate: (/** @type {number | undefined} */ n) => (n === undefined ? rate(n) : `${rate(n)}/s`),
};

const SPARK = { width: 96, height: 24, looks: 48, spanMs: 120_000 };

/** A line the size of a word: what is unfinished in a queue over the last two minutes. */
export class Spark {
  #line = svg('polyline', { class: 'spark-line' });
  #area = svg('polygon', { class: 'spark-area' });

  constructor() {
    this.element = svg(
      'svg',
      {
        class: 'spark',
        viewBox: `0 0 ${SPARK.width} ${SPARK.height}`,
        preserveAspectRatio: 'none',
        role: 'img',
        'aria-label': '',
      },
      this.#area,
      this.#line,
    );
  }

  /**
   * @param {import('./history.js').History} history
   * @param {number} now
   */
  show(history, now) {
    const looks = history.looks(now, SPARK.spanMs, SPARK.looks);
    const values = looks.map((row) => (row ? row.ready + row.leased + row.delayed : undefined));
    const seen = values.filter((n) => n !== undefined);
    const high = Math.max(1, ...seen);
    const points = values.flatMap((n, i) => {
      if (n === undefined) return [];
      const x = (i / (SPARK.looks - 1)) * SPARK.width;
      const y = SPARK.height - 1.5 - (n / high) * (SPARK.height - 3);
      return [`${x.toFixed(1)},${y.toFixed(1)}`];
    });
    const first = points[0]?.split(',')[0] ?? '0';
    setAttribute(this.#line, 'points', points.join(' '));
    setAttribute(
      this.#area,
      'points',
      points.length > 0 ? `${first},${SPARK.height} ${points.join(' ')} ${SPARK.width},${SPARK.height}` : '',
    );
    const words =
      seen.length === 0
        ? 'nothing seen yet'
        : `unfinished: ${count(seen[0])} before, ${count(seen.at(-1))} now, at most ${count(high === 1 ? Math.max(...seen) : high)}`;
    setAttribute(this.element, 'aria-label', words);
  }
}

/**
 * Buttons of which one is pressed.
 * @template {string} T
 * @param {string} label
 * @param {readonly (readonly [T, string])[]} choices
 * @param {T} first
 * @param {(choice: T) => void} chose
 */
export function choiceOf(label, choices, first, chose) {
  const group = h('div', { class: 'choice', role: 'group', 'aria-label': label });
  fill(
    group,
    ...choices.map(([value, words]) =>
      button(
        words,
        (event) => {
          for (const each of group.children) each.setAttribute('aria-pressed', String(each === event.currentTarget));
          chose(value);
        },
        { 'aria-pressed': String(value === first) },
      ),
    ),
  );
  return group;
}
