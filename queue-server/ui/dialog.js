//! Dialogs: one form each, in the browser's own <dialog>, which keeps the focus inside and gives it back.

import { append, button, fill, freshId, h, setAttribute } from './dom.js';
import { sentence } from './notices.js';

/**
 * @typedef {{title: string, body: import('./dom.js').Child[], submit: string, danger?: boolean, cancel?: string,
 *   act: (signal: AbortSignal) => Promise<void> | void, wide?: boolean, signal?: AbortSignal,
 *   opened?: (controls: DialogControls) => void}} DialogOptions
 * @typedef {{dialog: HTMLDialogElement, form: HTMLFormElement, submit: HTMLButtonElement,
 *   problem: (words: string) => void, close: () => void}} DialogControls
 */

/** Why something failed, with what would mend it: `act` tells what is so when it is done. */
export class Remediable extends Error {
  /**
   * @param {string} words
   * @param {{label: string, act: () => Promise<string>}} remedy
   */
  constructor(words, remedy) {
    super(words);
    this.remedy = remedy;
  }
}

/** What is wrong in a field, and is said at that field. */
export class FieldProblem extends Error {}

/**
 * Opens a dialog. `act` is called when its form is sent; if that fails, the dialog says why and stays. Closed before
 * that is done, it aborts.
 * @param {DialogOptions} options
 * @returns {Promise<boolean>} whether it was done, when the dialog is closed
 */
export function openDialog({ title, body, submit: label, danger, cancel = 'Cancel', act, wide, signal, opened }) {
  const heading = freshId('dialog');
  const alert = h('p', { class: 'problem', role: 'alert' });
  const submit = h('button', { type: 'submit', class: danger ? 'danger' : 'primary' }, label);
  const no = button(cancel, () => dialog.close());
  const form = h('form', { method: 'dialog', novalidate: true });
  const dialog = h('dialog', { 'aria-labelledby': heading, class: wide ? 'wide' : null }, form);
  append(form, [
    h('h2', { id: heading }, title),
    h('div', { class: 'dialog-body' }, ...body),
    alert,
    h('div', { class: 'dialog-end' }, no, submit),
  ]);
  let done = false;
  const end = new AbortController();
  const problem = (/** @type {string} */ words) => {
    fill(alert, sentence(words));
    if (words !== '') alert.scrollIntoView({ block: 'nearest' });
  };
  /** @param {Remediable['remedy']} what */
  const remedy = ({ label: words, act: mend }) =>
    button(
      words,
      async () => {
        try {
          fill(alert, await mend());
          submit.focus();
        } catch (error) {
          problem(error instanceof Error ? error.message : String(error));
        }
      },
      { class: 'small' },
    );
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    // Still at work.
    if (submit.getAttribute('aria-disabled') === 'true') return;
    problem('');
    submit.setAttribute('aria-disabled', 'true');
    try {
      await act(end.signal);
      done = true;
      dialog.close();
    } catch (error) {
      // Said where it is.
      if (error instanceof FieldProblem) return;
      problem(error instanceof Error ? error.message : String(error));
      if (error instanceof Remediable) alert.append(' ', remedy(error.remedy));
    } finally {
      submit.removeAttribute('aria-disabled');
    }
  });
  /** @type {Promise<boolean>} */
  const left = new Promise((resolve) => {
    // Not by the event `close`: that comes in a later task, before which the next key may be pressed.
    const closed = new MutationObserver(() => {
      if (dialog.open) return;
      closed.disconnect();
      dialog.remove();
      end.abort();
      resolve(done);
    });
    closed.observe(dialog, { attributeFilter: ['open'] });
  });
  document.body.append(dialog);
  dialog.showModal();
  opened?.({ dialog, form, submit, problem, close: () => dialog.close() });
  signal?.addEventListener('abort', () => dialog.close());
  return left;
}

/**
 * A labelled field, with what it means below it.
 * @param {string} label
 * @param {HTMLElement} control
 * @param {string} [hint]
 */
export function field(label, control, hint) {
  const id = control.id || freshId('field');
  control.id = id;
  if (hint !== undefined) control.setAttribute('aria-describedby', `${id}-hint`);
  return h(
    'div',
    { class: 'field' },
    h('label', { for: id }, label),
    control,
    hint === undefined ? null : h('p', { class: 'hint', id: `${id}-hint` }, hint),
  );
}

/**
 * A box to tick, with its label.
 * @param {string} label
 * @param {Record<string, any>} attributes
 */
export function tick(label, attributes) {
  const box = h('input', { type: 'checkbox', ...attributes });
  return { box, element: h('label', { class: 'tick' }, box, h('span', null, label)) };
}

/**
 * Says at a field what is wrong with it, and goes no further; nothing wrong takes back what was said.
 * @param {HTMLElement} control of a `field`
 * @param {string} words empty: it is as it should be
 */
export function checkField(control, words) {
  const id = `${control.id}-problem`;
  const said = document.getElementById(id) ?? h('p', { class: 'field-problem', id, role: 'alert' });
  if (!said.isConnected) control.parentElement?.append(said);
  const others = (control.getAttribute('aria-describedby') ?? '').split(' ').filter((each) => each !== '' && each !== id);
  const about = words === '' ? others : [...others, id];
  fill(said, sentence(words));
  setAttribute(control, 'aria-invalid', words === '' ? null : 'true');
  setAttribute(control, 'aria-describedby', about.length === 0 ? null : about.join(' '));
  if (words === '') return;
  control.focus();
  throw new FieldProblem(words);
}
