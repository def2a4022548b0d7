//! What people type into number fields, and numbers as they would type them: `30s`, `1h30m`, `64 KiB`.
//! Pure. The server's own grammar of durations is `30s`, `10m`, `1h30m`; here a bare number is milliseconds too.

const DURATIONS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZES = {
  b: 1,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
};

/**
 * Milliseconds.
 * @param {string} text
 * @returns {number} NaN where it is no duration
 */
export function parseDuration(text) {
  const plain = text.trim().toLowerCase().replace(/\s+/g, '');
  if (/^\d+$/.test(plain)) return Number(plain);
  if (!/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(plain)) return NaN;
  let sum = 0;
  for (const [, number, unit] of plain.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) {
    sum += Number(number) * DURATIONS[/** @type {keyof typeof DURATIONS} */ (unit)];
  }
  return Math.round(sum);
}

/**
 * A duration as one would type it, without loss.
 * @param {number} ms
 */
export function writeDuration(ms) {
  if (ms === 0) return '0';
  let rest = ms;
  let text = '';
  for (const unit of /** @type {const} */ (['d', 'h', 'm', 's', 'ms'])) {
    const many = Math.floor(rest / DURATIONS[unit]);
    rest -= many * DURATIONS[unit];
    if (many > 0) text += `${many}${unit}`;
  }
  return text;
}

/**
 * Bytes.
 * @param {string} text
 * @returns {number} NaN where it is no size
 */
export function parseBytes(text) {
  const found = /^(\d+(?:\.\d+)?)([a-z]*)$/.exec(text.trim().toLowerCase().replace(/\s+/g, ''));
  if (!found) return NaN;
  const size = found[2] === '' ? 1 : SIZES[/** @type {keyof typeof SIZES} */ (found[2])];
  return size === undefined ? NaN : Math.round(Number(found[1]) * size);
}

/**
 * A size as one would type it, without loss.
 * @param {number} n
 */
export function writeBytes(n) {
  for (const [unit, size] of /** @type {const} */ ([
    ['TiB', 1024 ** 4],
    ['GiB', 1024 ** 3],
    ['MiB', 1024 ** 2],
    ['KiB', 1024],
  ])) {
    if (n >= size && n % size === 0) return `${n / size} ${unit}`;
  }
  return String(n);
}

/**
 * A number that may be written with separators: `1,000,000` or `1_000_000`.
 * @param {string} text
 * @returns {number} NaN where it is none
 */
export function parseNumber(text) {
  const plain = text.trim().replace(/[,_\s]/g, '');
  return /^\d+(\.\d+)?$/.test(plain) ? Number(plain) : NaN;
}

/**
 * What is wrong with the name of a queue to be made; nothing where it is right.
 * @param {string} text
 */
export function nameProblem(text) {
  if (text === '') return 'name the queue';
  const odd = /[^A-Za-z0-9._-]/u.exec(text)?.[0];
  if (odd !== undefined) {
    const what = /\s/.test(odd) ? 'blanks' : `“${odd}”`;
    return `a name has no ${what}: use letters A to Z, digits, “.”, “_” and “-”`;
  }
  if (/^[.-]/.test(text)) return `a name does not begin with “${text[0]}”`;
  if (text.length > 128) return 'a name has 128 characters at most';
  return text === '_other' ? 'the name _other is kept for the metrics' : '';
}
