//! The token of this session: asked for when the server wants one, kept until the tab closes.

const KEY = 'memq.token';

/** @returns {string | null} */
export function token() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    // Storage may be forbidden; then a token lasts as long as the page.
    return held;
  }
}

/** @type {string | null} */
let held = null;

/** @param {string | null} value */
export function setToken(value) {
  held = value;
  try {
    if (value === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, value);
  } catch {
    // See above.
  }
}
