// The pieces that every part of the page is made of.

import { html, useEffect, useRef, useState } from "./htm-preact-standalone.js";
import { explain } from "./errors.js";
import { Icon } from "./icons.js";
import { actionName, SOURCES, targetName } from "./words.js";

let count = 0;
export function useId(name) {
  const [id] = useState(() => `${name}-${(count += 1)}`);
  return id;
}

/** A state in shape and words. */
export const Mark = ({ tone, children }) => html`
  <span class="mark ${tone}"><${Icon} name=${tone} /><span>${children}</span></span>
`;

/** Where data goes. */
export const Leaves = ({ row }) =>
  row.data_leaves_host
    ? html`<${Mark} tone="leaves">leaves the host<//>`
    : html`<${Mark} tone="stays">stays local<//>`;

/** What stands in the way, and what to do about each. */
export const Problems = ({ problems }) =>
  problems.length > 0 &&
  html`
    <ul class="problems">
      ${problems.map(
        ({ code, detail }) => html`<li key="${code} ${detail}"><${Mark} tone="warn">${detail}<//></li>`,
      )}
    </ul>
  `;

/** How long a key has been stored, and who stored it. */
export const KeyLife = ({ row }) =>
  row.key_set_at &&
  html`<span class="dim">set <${When} at=${row.key_set_at} /> by ${row.key_set_by}</span>`;

/** Where a value comes from. */
export const Source = ({ of }) => of && html`<span class="source">${SOURCES[of] ?? of}</span>`;

/** A moment: how long ago, with the exact time beside it for whoever points at it. */
export function When({ at }) {
  const moment = new Date(at);
  return html`<time datetime=${at} title=${moment.toLocaleString()}>${ago(moment)}</time>`;
}

function ago(moment) {
  const seconds = Math.max(0, (Date.now() - moment) / 1000);
  if (seconds < 60) return "just now";
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ago`;
  return moment.toLocaleDateString();
}

const reveal = (element) => element?.scrollIntoView({ block: "nearest" });

/** A message in a box. `alert` ones are read out, and scrolled to, at once. */
export function Notice({ tone, title, children, alert }) {
  return html`
    <div class="notice ${tone}" ...${alert && { role: "alert", ref: reveal }}>
      <${Icon} name=${tone} />
      <div>
        ${title && html`<strong>${title}</strong>`}
        <div>${children}</div>
      </div>
    </div>
  `;
}

export function ProblemNotice({ problem }) {
  if (!problem) return null;
  const { title, text } = explain(problem);
  return html`<${Notice} tone="bad" title=${title} alert>${text}<//>`;
}

/** A label, its control and a hint; `children` gets the attributes that tie the three together. */
export function Field({ label, hint, tone, children }) {
  const id = useId("field");
  const hintId = `${id}-hint`;
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      ${children({ id, "aria-describedby": hint ? hintId : undefined })}
      ${hint && html`<p class="hint ${tone ?? ""}" id=${hintId}>${hint}</p>`}
    </div>
  `;
}

/**
 * A secret that is being typed or pasted; it can be looked at until it is sent.
 *
 * `one-time-code` keeps password managers from offering to store it.
 */
export function SecretField({ label, hint, tone, value, onValue, required }) {
  const [shown, setShown] = useState(false);
  const field = (ties) => html`
    <div class="secret">
      <input
        ...${ties}
        type=${shown ? "text" : "password"}
        value=${value}
        onInput=${(event) => onValue(event.target.value)}
        required=${required}
        autocomplete="one-time-code"
        autocapitalize="off"
        spellcheck=${false}
      />
      <button
        type="button"
        class="quiet"
        aria-pressed=${String(shown)}
        aria-label="Show what you type"
        onClick=${() => setShown(!shown)}
      >
        Show
      </button>
    </div>
  `;
  return html`<${Field} label=${label} hint=${hint} tone=${tone}>${field}<//>`;
}

export const Check = ({ checked, onChange, disabled, children }) => html`
  <label class="check">
    <input
      type="checkbox"
      checked=${checked}
      disabled=${disabled}
      onChange=${(event) => onChange(event.target.checked)}
    />
    <span>${children}</span>
  </label>
`;

/** A test before anything is changed. */
export const TestFirst = ({ checked, onChange, name }) => html`
  <${Check} checked=${checked} onChange=${onChange}>
    Test first: send ${name} a one-word prompt, and change nothing if it fails
  <//>
`;

/**
 * The line of a record that can be opened: its number, what was done, who did it and when. One of the
 * history has a `summary`: what changed, in words.
 */
export const Summary = ({ number, entry }) => html`
  <summary>
    <span class="number">${number}</span>
    <span class="what">
      ${actionName(entry.action)} <strong>${targetName(entry.target)}</strong>
      ${entry.summary?.map((words) => html`<span class="changed" key=${words}>${words}</span>`)}
    </span>
    <span class="who">${entry.actor}, <${When} at=${entry.at} /></span>
  </summary>
`;

/** A modal dialog. It takes the focus, and gives it back to what opened it. */
export function Modal({ title, onClose, children, footer }) {
  const dialog = useRef(null);
  const id = useId("dialog");
  useEffect(() => {
    const element = dialog.current;
    element.showModal();
    element.querySelector("h2").focus();
    return () => {
      element.close();
      // What opened it may be gone, as the button of a switch is after the switch.
      if (document.activeElement !== document.body) return;
      document.querySelector("main").focus({ preventScroll: true });
    };
  }, []);
  const leave = (event) => {
    event.preventDefault(); // the browser would close it whatever the form in it holds
    onClose?.();
  };
  return html`
    <dialog
      ref=${dialog}
      aria-labelledby=${id}
      onCancel=${leave}
      onKeyDown=${(event) => event.key === "Escape" && leave(event)}
    >
      <header>
        <h2 id=${id} tabindex="-1">${title}</h2>
        ${onClose &&
        html`<button type="button" class="quiet close" aria-label="Close" onClick=${onClose}>
          ✕
        </button>`}
      </header>
      <div class="dialog-body">${children}</div>
      ${footer && html`<footer>${footer}</footer>`}
    </dialog>
  `;
}
