//! A file of many items, in pieces that the server takes one by one: cut between lines, never within. Pure.

/** A request has at most 16 MiB and 100,000 items; half of each leaves room, and shows progress sooner. */
export const PIECE_BYTES = 8 * 1024 * 1024;
export const PIECE_LINES = 50_000;
const MOST_LINE_BYTES = 16 * 1024 * 1024;
const LINE_FEED = 0x0a;

/**
 * The pieces of a file, each ending where a line ends, but for the last.
 * @param {Blob} file
 * @param {{bytes?: number, lines?: number}} [most] of a piece; one with a line that is longer has more
 * @returns {AsyncGenerator<{data: Uint8Array, end: number}>}
 */
export async function* pieces(file, { bytes = PIECE_BYTES, lines = PIECE_LINES } = {}) {
  let at = 0;
  let ask = bytes;
  while (at < file.size) {
    const data = new Uint8Array(await file.slice(at, at + ask).arrayBuffer());
    const last = at + data.length >= file.size;
    const end = cut(data, lines, last);
    if (end === 0) {
      if (data.length >= MOST_LINE_BYTES) throw new Error('a line is longer than 16 MiB, the most that a request has');
      // One line is longer than a piece: look further for its end.
      ask *= 2;
      continue;
    }
    at += end;
    ask = bytes;
    yield { data: data.subarray(0, end), end: at };
  }
}

/**
 * Where a piece ends: behind its last line feed, or behind so many lines.
 * @param {Uint8Array} data
 * @param {number} lines
 * @param {boolean} last nothing comes behind it
 */
function cut(data, lines, last) {
  let seen = 0;
  let end = 0;
  for (let i = data.indexOf(LINE_FEED); i >= 0; i = data.indexOf(LINE_FEED, i + 1)) {
    seen += 1;
    end = i + 1;
    if (seen === lines) return end;
  }
  return last ? data.length : end;
}
