//! Dark or light: as the system has it, or as the reader chose.

const KEY = 'memq.theme';
const THEMES = /** @type {const} */ (['auto', 'light', 'dark']);

/** @typedef {typeof THEMES[number]} Theme */

/** @returns {Theme} */
export function chosen() {
  try {
    const kept = localStorage.getItem(KEY);
    return THEMES.find((theme) => theme === kept) ?? 'auto';
  } catch {
    return 'auto';
  }
}

/** @param {Theme} theme */
export function choose(theme) {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Then it lasts as long as the page.
  }
  document.dispatchEvent(new CustomEvent('themechange'));
}

/** @param {Theme} theme */
export function after(theme) {
  return THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
}
