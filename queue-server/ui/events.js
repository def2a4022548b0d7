//! Keeps the store as the server is: by the stream of events, or by asking where no stream comes through.
//!
//! The stream is read by fetch and not by EventSource, which could send no token. A page nobody looks at lets its
//! stream go after a while, because a browser has six connections to a server for all its tabs, and asks now and then.

import { ApiError, events, listQueues, listRuns } from './api.js';
import { SseReader } from './sse.js';

/**
 * `gone`: it was not heard for so long that it may not come back, or not at all since the page was opened.
 * @typedef {'connecting' | 'live' | 'polling' | 'reconnecting' | 'starting' | 'gone' | 'locked'} State
 * @typedef {{state: State, detail?: string, since?: number, everyMs?: number}} Connection since when it is away, how
 *   often it is tried
 */

/** The server says something every 15 seconds; after so long without, the stream is dead. */
const SILENCE_MS = 40_000;
/** A proxy that holds a stream back is found by the snapshot that does not come. */
const FIRST_WORD_MS = 10_000;
/** Streams that are tried before the page asks instead. */
const TRIES = 2;
const RETRY_MS = [250, 500, 1_000, 2_000, 4_000];
/** Tokens are changed in a file that servers read now and then: who was let in before may be so again, for so long. */
const TOKENS_CHANGE_MS = 120_000;
const REFUSED_RETRY_MS = 15_000;
const REFUSED_REST_MS = 600_000;
/** A server that is away for so long may be gone for good. */
const GONE_AFTER_MS = 60_000;
/** One that was never heard keeps its reader waiting with nothing to look at. */
const NEVER_HEARD_AFTER_MS = 3_000;
const GONE_RETRY_MS = 15_000;
/** Longer than any answer takes that somebody waits for. */
const POLL_PATIENCE_MS = 10_000;
const POLL_MS = 2_000;
const UNSEEN_POLL_MS = 15_000;
const UNSEEN_AFTER_MS = 60_000;
/** How long polling goes on before a stream is tried again. */
const POLL_FOR_MS = 30_000;

export class Feed {
  #store;
  /** @type {(connection: Connection) => void} */
  #tell;
  /** @type {(wasAwayMs: number, restarted: boolean) => void} */
  #back;
  /** Since when the server is away, as far as it was noticed. */
  #lost = 0;
  /** Since when it lets nobody in by this token. */
  #refused = 0;
  #failures = 0;
  /** Asking worked where no stream came. */
  #streamless = false;
  #unseen = false;
  /** Which start of the server was heard last. @type {string | null} */
  #instance = null;
  #restarted = false;
  /** Wakes whatever this waits for: a sleep, or a stream. */
  #wake = new AbortController();

  /**
   * @param {import('./store.js').Store} store
   * @param {{tell: (connection: Connection) => void, back: (wasAwayMs: number, restarted: boolean) => void}} listeners
   */
  constructor(store, { tell, back }) {
    this.#store = store;
    this.#tell = tell;
    this.#back = back;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    document.addEventListener('visibilitychange', () => {
      clearTimeout(timer);
      if (document.hidden) timer = setTimeout(() => this.#look(true), UNSEEN_AFTER_MS);
      else this.#look(false);
    });
    addEventListener('online', () => this.retry());
  }

  /** Tries again at once. */
  retry() {
    this.#failures = 0;
    this.#refused = 0;
    this.#wake.abort();
  }

  /** @param {boolean} unseen */
  #look(unseen) {
    if (this.#unseen === unseen) return;
    this.#unseen = unseen;
    this.#wake.abort();
  }

  /** Goes on as long as the page. */
  async run() {
    this.#tell({ state: 'connecting' });
    for (;;) {
      this.#wake = new AbortController();
      try {
        if (this.#unseen) await this.#poll(Infinity, UNSEEN_POLL_MS);
        else await this.#follow();
      } catch (error) {
        if (!this.#wake.signal.aborted) await this.#failed(error);
      }
    }
  }

  /** @param {unknown} error */
  async #failed(error) {
    if (!(error instanceof ApiError)) {
      // The stream broke off, or came with nonsense: both are mended by a new one.
      this.#away('reconnecting');
    } else if (isRefusal(error)) {
      this.#tell({ state: 'locked', detail: error.message });
      if (this.#refused === 0) this.#refused = Date.now();
      const soon = this.#store.loaded && Date.now() - this.#refused < TOKENS_CHANGE_MS;
      await this.#sleep(soon ? REFUSED_RETRY_MS : REFUSED_REST_MS);
      return;
    } else if (error.code === 'not_ready') {
      this.#away('starting', error.message);
    } else if ((error.status === 0 || error.status >= 502) && !this.#streamless && this.#failures < TRIES) {
      this.#away('reconnecting', error.message);
    } else {
      // It may be the stream alone that a proxy refuses or cuts. Where the server is gone, asking fails at once, too.
      this.#streamless = true;
      try {
        await this.#poll(POLL_FOR_MS, POLL_MS);
      } catch (refused) {
        if (isRefusal(refused)) {
          await this.#failed(refused);
          return;
        }
        this.#streamless = false;
        this.#away('reconnecting', error.message);
      }
    }
    const soon = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)];
    this.#failures += 1;
    await this.#sleep(this.#wasAwayFor(GONE_AFTER_MS) ? GONE_RETRY_MS : soon * (0.75 + Math.random() / 2));
  }

  /**
   * @param {State} state
   * @param {string} [detail]
   */
  #away(state, detail) {
    if (this.#lost === 0) this.#lost = Date.now();
    const everyMs = this.#wasAwayFor(GONE_AFTER_MS) ? GONE_RETRY_MS : RETRY_MS[RETRY_MS.length - 1];
    const gone = this.#wasAwayFor(this.#store.loaded ? GONE_AFTER_MS : NEVER_HEARD_AFTER_MS);
    if (state === 'reconnecting' && gone) this.#tell({ state: 'gone', detail, since: this.#lost, everyMs });
    else this.#tell({ state, detail });
  }

  /** @param {number} ms */
  #wasAwayFor(ms) {
    return this.#lost !== 0 && Date.now() - this.#lost >= ms;
  }

  /** Reads one stream to its end. */
  async #follow() {
    const call = new AbortController();
    const stop = () => call.abort();
    this.#wake.signal.addEventListener('abort', stop);
    let timer = setTimeout(stop, FIRST_WORD_MS);
    let heard = false;
    try {
      // Asking for a token waits for a person.
      const response = await this.#open(call.signal, () => clearTimeout(timer));
      if (!response.headers.get('Content-Type')?.startsWith('text/event-stream'))
        throw new ApiError(response.status, 'http', 'what answers is no memq server: a proxy may want you to log in');
      this.#met(response.headers.get('Memq-Instance'));
      clearTimeout(timer);
      timer = setTimeout(stop, FIRST_WORD_MS);
      const body = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
      const text = new TextDecoder();
      const reader = new SseReader();
      for (;;) {
        const { done, value } = await body.read();
        if (done) break;
        clearTimeout(timer);
        timer = setTimeout(stop, SILENCE_MS);
        for (const { event, data } of reader.push(text.decode(value, { stream: true }))) {
          if (event === 'snapshot') {
            heard = true;
            this.#streamless = false;
          }
          this.#apply(event, JSON.parse(data));
        }
      }
    } catch (error) {
      if (this.#wake.signal.aborted || heard || !call.signal.aborted) throw error;
      // Nothing came through in time: ask instead, and try a stream later.
      await this.#poll(POLL_FOR_MS, POLL_MS);
      return;
    } finally {
      clearTimeout(timer);
      stop();
      this.#wake.signal.removeEventListener('abort', stop);
    }
    throw new Error('the stream of events ended');
  }

  /** @param {string | null} instance */
  #met(instance) {
    if (instance === null) return;
    this.#restarted ||= this.#instance !== null && this.#instance !== instance;
    this.#instance = instance;
  }

  /**
   * Asks for a token where nothing was heard yet. Who was let in before reads on and is told, not interrupted.
   * @param {AbortSignal} signal
   * @param {() => void} refused
   */
  async #open(signal, refused) {
    try {
      return await events(signal, true);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401 || this.#store.loaded) throw error;
      refused();
      this.#tell({ state: 'locked', detail: error.message });
      return events(signal, false);
    }
  }

  /**
   * @param {string} event
   * @param {any} data
   */
  #apply(event, data) {
    switch (event) {
      case 'snapshot':
        this.#heard(data.queues, data.runs ?? [], 'live');
        break;
      case 'queue':
        this.#store.queue(data);
        break;
      case 'deleted':
        this.#store.deleted(data.name);
        break;
      case 'run':
        this.#store.run(data);
        break;
      case 'run_deleted':
        this.#store.runDeleted(data.run);
        break;
      default:
      // A later server's: the next snapshot says what matters of it.
    }
  }

  /**
   * @param {import('./api.js').Queue[]} queues
   * @param {import('./api.js').Run[]} runs
   * @param {State} state
   */
  #heard(queues, runs, state) {
    const known = this.#store.loaded;
    // Where no stream says it, it can be seen by what is gone.
    const restarted = this.#store.snapshot(queues, runs) || this.#restarted;
    this.#restarted = false;
    const lost = this.#lost;
    this.#lost = 0;
    this.#refused = 0;
    this.#failures = 0;
    this.#tell({ state });
    if (lost > 0 && known) this.#back(Date.now() - lost, restarted);
  }

  /**
   * Asks again and again for some time.
   * @param {number} forMs
   * @param {number} everyMs
   */
  async #poll(forMs, everyMs) {
    const end = Date.now() + forMs;
    while (Date.now() < end && !this.#wake.signal.aborted) {
      const call = new AbortController();
      const stop = () => call.abort(new ApiError(0, 'unreachable', 'the server does not answer'));
      const timer = setTimeout(stop, POLL_PATIENCE_MS);
      this.#wake.signal.addEventListener('abort', stop);
      // Who was let in before is told of a refusal, and not asked.
      const known = this.#store.loaded;
      try {
        const [queues, runs] = await Promise.all([listQueues(call.signal, known), listRuns(call.signal, known)]);
        this.#heard(queues, runs, 'polling');
      } finally {
        clearTimeout(timer);
        this.#wake.signal.removeEventListener('abort', stop);
      }
      await this.#sleep(everyMs);
    }
  }

  /**
   * Until the time is over or something wakes it.
   * @param {number} ms
   */
  #sleep(ms) {
    const { signal } = this.#wake;
    // Woken while it asked: that is not told again.
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve(undefined);
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener('abort', end);
    });
  }
}

/** @param {unknown} error */
function isRefusal(error) {
  return error instanceof ApiError && (error.status === 401 || error.status === 403);
}
