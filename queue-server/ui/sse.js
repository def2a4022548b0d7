//! Server-sent events, taken from pieces of text as they arrive. Pure.

/** @typedef {{event: string, data: string}} ServerEvent */

/** Takes pieces of a stream and gives the events that became whole. */
export class SseReader {
  #rest = '';
  #event = '';
  /** @type {string[]} */
  #data = [];

  /**
   * @param {string} piece
   * @returns {ServerEvent[]}
   */
  push(piece) {
    /** @type {ServerEvent[]} */
    const whole = [];
    const end = piece.lastIndexOf('\n');
    if (end < 0) {
      this.#rest += piece;
      return whole;
    }
    const lines = (this.#rest + piece.slice(0, end)).split('\n');
    this.#rest = piece.slice(end + 1);
    for (const raw of lines) {
      const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
      if (line === '') this.#finish(whole);
      else this.#field(line);
    }
    return whole;
  }

  /** @param {string} line */
  #field(line) {
    const colon = line.indexOf(':');
    // A comment says that the stream lives, and nothing else.
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (name === 'event') this.#event = value;
    else if (name === 'data') this.#data.push(value);
  }

  /** @param {ServerEvent[]} whole */
  #finish(whole) {
    if (this.#data.length > 0) whole.push({ event: this.#event || 'message', data: this.#data.join('\n') });
    this.#event = '';
    this.#data = [];
  }
}
