//! Values as words for people: numbers, durations, times, sizes. Pure; knows no page and no server.
//! Whatever came from an item is shortened and made printable here, and is never markup.

/** Shown where there is nothing to show. */
export const NOTHING = '–';

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 2 });
const FEW = new Intl.NumberFormat('en', { maximumSignificantDigits: 2 });

/**
 * A number of things: exact below a million, shortened from there on.
 * @param {number | undefined} n
 */
export function count(n) {
  if (n === undefined) return NOTHING;
  return Math.abs(n) < 1_000_000 ? WHOLE.format(n) : SHORT.format(n);
}

/**
 * A number of things, exact.
 * @param {number} n
 */
export function exactly(n) {
  return WHOLE.format(n);
}

/**
 * A number with its noun: `1 item`, `2 items`.
 * @param {number} n
 * @param {string} one
 * @param {string} [many]
 */
export function counted(n, one, many = `${one}s`) {
  return `${exactly(n)} ${n === 1 ? one : many}`;
}

/**
 * Things a second.
 * @param {number | undefined} perSecond
 */
export function rate(perSecond) {
  if (perSecond === undefined || !Number.isFinite(perSecond)) return NOTHING;
  if (perSecond >= 1_000_000) return SHORT.format(perSecond);
  if (perSecond >= 10) return WHOLE.format(perSecond);
  return perSecond < 0.001 ? '0' : FEW.format(perSecond);
}

const UNITS = /** @type {const} */ ([
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
]);

/**
 * A duration in its two largest units: `3 d 4 h`, `12 s`, `850 ms`.
 * @param {number | undefined} ms
 */
export function duration(ms) {
  if (ms === undefined || !Number.isFinite(ms)) return NOTHING;
  if (ms < 0) return duration(0);
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const first = UNITS.findIndex(([, size]) => ms >= size);
  const [unit, size] = UNITS[first];
  const words = `${Math.floor(ms / size)} ${unit}`;
  const next = UNITS[first + 1];
  if (!next) return words;
  const rest = Math.floor((ms % size) / next[1]);
  return rest === 0 ? words : `${words} ${rest} ${next[0]}`;
}

/**
 * How long ago, in whole units.
 * @param {number} ms
 */
export function ago(ms) {
  return ms < 1_000
    ? 'just now'
    : `${duration(Math.max(1_000, Math.floor(ms / 1_000) * 1_000)).replace('.0 ', ' ')} ago`;
}

/**
 * A moment by the reader's clock, to the second.
 * @param {string | number | undefined} when RFC 3339, or milliseconds since 1970
 */
export function moment(when) {
  if (when === undefined) return NOTHING;
  const at = new Date(when);
  if (Number.isNaN(at.getTime())) return String(when);
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${clock(at.getTime())}`;
}

/**
 * The time of day, to the second.
 * @param {number} ms
 */
export function clock(ms) {
  const at = new Date(ms);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((n) => String(n).padStart(2, '0')).join(':');
}

/**
 * A size.
 * @param {number | undefined} n
 */
export function bytes(n) {
  if (n === undefined) return NOTHING;
  if (n < 1024) return n === 1 ? '1 byte' : `${n} bytes`;
  let power = Math.min(4, Math.floor(Math.log2(n) / 10));
  // What would be written as 1024 of a unit is one of the next.
  if (power < 4 && Math.round(n / 1024 ** power) === 1024) power += 1;
  const value = n / 1024 ** power;
  const digits = value < 10 && !Number.isInteger(value) ? 1 : 0;
  return `${value.toFixed(digits)} ${['', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`;
}

/**
 * A part of a whole in percent: never 100 before it is all, never 0 once it is something.
 * @param {number} part
 * @param {number} whole
 */
export function percent(part, whole) {
  if (whole <= 0) return 0;
  const exact = (100 * part) / whole;
  if (part >= whole) return 100;
  return part > 0 ? Math.min(99, Math.max(1, Math.floor(exact))) : 0;
}

/**
 * The end of an item's id, which tells it from the others of its queue.
 * @param {string} id
 */
export function shortId(id) {
  return id.length > 10 ? `…${id.slice(-8)}` : id;
}

// Characters that would not be seen, or would turn the text around them.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/**
 * One line of a text, short enough for a table.
 * @param {string | undefined} text
 * @param {number} [most] characters
 */
export function preview(text, most = 140) {
  if (text === undefined) return '';
  // Of a megabyte only the beginning is looked at.
  const line = text
    .slice(0, most * 4)
    .replace(/\s+/g, ' ')
    .replace(UNSEEN, '\u00b7')
    .trim();
  const cut = line.length > most || text.length > most * 4;
  return cut ? `${line.slice(0, most)}…` : line;
}

/**
 * The first line of a text that says something.
 * @param {string | undefined} text
 */
export function firstLine(text) {
  const line = text?.split('\n', 50).find((part) => part.trim() !== '');
  return preview(line);
}

/**
 * Bytes as rows of hexadecimal digits with their ASCII beside them.
 * @param {Uint8Array} data
 * @param {number} most bytes
 */
export function hex(data, most) {
  const rows = [];
  for (let at = 0; at < Math.min(data.length, most); at += 16) {
    const row = [...data.subarray(at, Math.min(at + 16, most))];
    const digits = row
      .map((byte) => byte.toString(16).padStart(2, '0'))
      .join(' ')
      .padEnd(47);
    const signs = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    rows.push(`${at.toString(16).padStart(6, '0')}  ${digits}  ${signs}`);
  }
  return rows.join('\n');
}

/** How memq's workers begin each of the streams that a command wrote, below why an attempt failed. */
const STREAM = /(^|\n)--- std(err|out)\n/;

/**
 * An error as two: why, and what the command printed.
 * @param {string} error
 */
export function partedError(error) {
  const at = error.search(STREAM);
  if (at < 0) return { why: error, output: '' };
  return { why: error.slice(0, at), output: error.slice(at).replace(/^\n/, '') };
}

/** Says no more than the exit code that stands beside it. */
const CODE_ALONE = /^(the command )?exited with (code )?\d+$/;

/**
 * The line of an error that tells most: the last that the command wrote, its errors before what else it printed; behind
 * why it failed, where that is more than an exit code.
 * @param {string | undefined} error
 */
export function tellingLine(error) {
  if (error === undefined) return '';
  const { why, output } = partedError(error);
  const [stderr, stdout] = ['stderr', 'stdout'].map((name) => {
    const [, said = ''] = output.split(new RegExp(`(?:^|\\n)--- ${name}\\n`), 2);
    return preview(said.split(/\n--- std(?:err|out)\n/, 1)[0].trimEnd().split('\n').at(-1));
  });
  const last = stderr || stdout;
  const first = firstLine(why);
  if (last === '') return first;
  return first === '' || CODE_ALONE.test(first) ? last : `${first}: ${last}`;
}
