//! Settings within settings: `backoff.factor` is a field of the form, and a part of `backoff` on the wire. Pure.

/**
 * @param {Record<string, any>} settings
 * @param {string} path
 * @returns {number | undefined}
 */
export function settingAt(settings, path) {
  return path.split('.').reduce((/** @type {any} */ value, part) => value?.[part], settings);
}

/**
 * Settings with a `.` in their name, put back into the one they lie in; that one is changed as a whole.
 * @param {Record<string, any>} flat
 * @param {Record<string, any>} settings
 */
export function nested(flat, settings) {
  /** @type {Record<string, any>} */
  const whole = {};
  for (const [path, value] of Object.entries(flat)) {
    const [outer, inner] = path.split('.');
    if (inner === undefined) {
      whole[outer] = value;
      continue;
    }
    whole[outer] ??= { ...settings[outer] };
    if (value === null) delete whole[outer][inner];
    else whole[outer][inner] = value;
  }
  return whole;
}
