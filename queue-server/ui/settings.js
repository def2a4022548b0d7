//! The settings of a queue as a form: what is there, what it means, and what was changed.

import { h, setAttribute, setText } from './dom.js';
import { field } from './dialog.js';
import { nested, settingAt } from './patch.js';
import { parseBytes, parseDuration, parseNumber, writeBytes, writeDuration } from './quantities.js';

/** @typedef {'duration' | 'bytes' | 'number' | 'rate'} Kind */

/** `none` is what an empty field means; a setting with a `.` lies inside another. */
export const GROUPS = /** @type {const} */ ([
  [
    'Leases and attempts',
    [
      ['lease_ms', 'Lease', 'duration', '30s', 'How long a worker holds an item before it must renew.'],
      [
        'max_lease_ms',
        'Longest attempt',
        'duration',
        'no end',
        'Hard end of one attempt, however often it is renewed.',
      ],
      ['max_attempts', 'Attempts', 'number', '5', 'Attempts before an item is dead.'],
      ['backoff.min_ms', 'First wait before a retry', 'duration', '1s', ''],
      ['backoff.max_ms', 'Longest wait', 'duration', '5m', ''],
      ['backoff.factor', 'Growth of the wait', 'rate', '2', 'Times this after each further failure, 1 to 10.'],
    ],
  ],
  [
    'Limits',
    [
      ['max_leased', 'Leased at once', 'number', 'no limit', ''],
      ['max_leased_per_group', 'Leased at once of a group', 'number', 'no limit', ''],
      ['rate_per_s', 'Leases a second', 'rate', 'no limit', 'Such as 10 or 0.5.'],
      ['burst', 'Burst', 'number', '0.1 s’ worth', 'Leases at once after a pause; only with a rate.'],
      ['max_items', 'Items held', 'number', 'no limit', 'Past it an enqueue is refused.'],
      ['max_bytes', 'Bytes held', 'bytes', 'no limit', ''],
      ['max_body_bytes', 'Largest item', 'bytes', '1 MiB', ''],
      ['max_result_bytes', 'Largest result', 'bytes', '64 KiB', ''],
    ],
  ],
  [
    'What is kept',
    [
      ['done_retention_ms', 'Outcomes, how long', 'duration', '7d', ''],
      ['done_retention_items', 'Outcomes, how many', 'number', '1,000,000', ''],
      ['done_retention_bytes', 'Outcomes, bytes', 'bytes', '256 MiB', ''],
      ['key_window_ms', 'Unique keys stay taken', 'duration', '0', 'After an item’s enqueue, even where it has ended.'],
      ['quiet_ms', 'Quiet before empty', 'duration', '5s', 'How long an unsealed queue must have been left alone.'],
    ],
  ],
]);

/**
 * @param {Kind} kind
 * @param {number | undefined} value
 */
export function written(kind, value) {
  if (value === undefined || value === null) return '';
  if (kind === 'duration') return writeDuration(value);
  return kind === 'bytes' ? writeBytes(value) : String(value);
}

const WRONG = {
  duration: 'is no duration: write 30s, 10m or 1h30m',
  bytes: 'is no size: write 64 KiB or 1 MiB',
  number: 'is no whole number',
  rate: 'is no number',
};

/**
 * @param {Kind} kind
 * @param {string} text
 */
function read(kind, text) {
  if (kind === 'duration') return parseDuration(text);
  if (kind === 'bytes') return parseBytes(text);
  const value = parseNumber(text);
  return kind === 'number' && !Number.isInteger(value) ? NaN : value;
}

/**
 * The form's fields.
 * @param {Record<string, any>} settings as they are; empty for a new queue
 */
export function settingsFields(settings) {
  const given = new Map();
  const fields = GROUPS.map(([title, members]) =>
    h(
      'fieldset',
      { class: 'grid' },
      h('legend', null, title),
      ...members.map(([path, label, kind, none, hint]) => {
        const text = written(kind, settingAt(settings, path));
        const box = h('input', {
          type: 'text',
          inputmode: kind === 'number' || kind === 'rate' ? 'decimal' : 'text',
          value: text,
          placeholder: none,
          autocomplete: 'off',
          spellcheck: 'false',
        });
        const problem = h('p', { class: 'field-problem' });
        given.set(path, { box, kind, label, was: text, problem });
        const element = field(label, box, hint === '' ? undefined : hint);
        element.append(problem);
        return element;
      }),
    ),
  );

  /**
   * What was changed, as the server wants it: null resets.
   * @returns {Record<string, any>}
   */
  const patch = () => {
    /** @type {Record<string, any>} */
    const changed = {};
    let wrong = null;
    for (const [path, { box, kind, label, was, problem }] of given) {
      const text = box.value.trim();
      const value = text === '' ? null : read(kind, text);
      const bad = Number.isNaN(value);
      setAttribute(box, 'aria-invalid', bad ? 'true' : null);
      setText(problem, bad ? `${label} ${WRONG[/** @type {Kind} */ (kind)]}` : '');
      if (bad) wrong ??= { box, label, kind };
      if (text !== was) changed[path] = value;
    }
    if (wrong) {
      wrong.box.focus();
      throw new Error(`${wrong.label} ${WRONG[/** @type {Kind} */ (wrong.kind)]}`);
    }
    return nested(changed, settings);
  };
  /** What is typed and not saved, by setting. */
  const typed = () => {
    const changed = [...given].filter(([, { box, was }]) => box.value.trim() !== was);
    return new Map(changed.map(([path, { box }]) => [path, box.value]));
  };
  /** @param {ReadonlyMap<string, string>} texts as `typed` gave them */
  const type = (texts) => {
    for (const [path, text] of texts) if (given.has(path)) given.get(path).box.value = text;
  };
  return { element: h('div', { class: 'settings' }, ...fields), patch, typed, type };
}
