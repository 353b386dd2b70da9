// Who is asked after a failure: a list that is put in order by buttons, so that keys do it, too.

import { html, useEffect, useRef, useState } from "./htm-preact-standalone.js";
import { Field, Source } from "./ui.js";
import { connectionName, rowOf } from "./words.js";

const MOST = 8; // as many as the service takes

/**
 * `names` in their order, and `onNames(names)` for another. `source` is where they come from,
 * `fixed` whether they can only be read.
 */
export function Fallbacks({ legend, names, source, inventory, fixed, onNames }) {
  const list = useRef(null);
  const focus = useRef(null); // what takes the focus next: what had it moved, or is gone
  const [said, setSaid] = useState("");
  useEffect(() => {
    const { name, act } = focus.current ?? {};
    focus.current = null;
    const buttons = name ? [...list.current.querySelectorAll(`[data-name="${name}"] button`)] : [];
    const usable = buttons.filter((button) => !button.disabled);
    const next = usable.find((button) => button.dataset.act === act) ?? usable[0];
    (next ?? (act && list.current.querySelector("select")))?.focus();
  });

  function change(changed, next, words) {
    focus.current = next;
    setSaid(words);
    onNames(changed);
  }
  function move(index, by) {
    const changed = [...names];
    const [name] = changed.splice(index, 1);
    changed.splice(index + by, 0, name);
    const words = `${connectionName(name)} is number ${index + by + 1} of ${names.length}.`;
    change(changed, { name, act: by < 0 ? "up" : "down" }, words);
  }
  function remove(index) {
    const changed = names.filter((_, place) => place !== index);
    const next = { name: changed[Math.min(index, changed.length - 1)], act: "remove" };
    change(changed, next, `${connectionName(names[index])} is no fallback any more.`);
  }
  const add = (name) =>
    change([...names, name], { act: "add" }, `${connectionName(name)} is the last fallback.`);
  return html`
    <fieldset class="order" ref=${list}>
      <legend>${legend} <${Source} of=${source} /></legend>
      ${names.length === 0 && html`<p class="empty">Nobody: the first failure is the answer.</p>`}
      <ol>
        ${names.map(
          (name, index) => html`
            <${Entry}
              key=${name}
              ...${{ name, index, inventory, fixed, last: index === names.length - 1 }}
              onMove=${(by) => move(index, by)}
              onRemove=${() => remove(index)}
            />
          `,
        )}
      </ol>
      ${!fixed && names.length < MOST && html`<${Adding} ...${{ names, inventory }} onAdd=${add} />`}
      <span class="unseen" aria-live="polite">${said}</span>
    </fieldset>
  `;
}

function Entry({ name, index, last, inventory, fixed, onMove, onRemove }) {
  const row = rowOf(inventory, name);
  const state = !row ? "doesn't exist" : row.ready ? "" : "not ready";
  const shown = connectionName(name);
  return html`
    <li data-name=${name}>
      <span class="name">${shown} ${state && html`<span class="badge">${state}, skipped</span>`}</span>
      ${!fixed &&
      html`
        <${Act} act="up" says="Move ${shown} up" disabled=${index === 0} onClick=${() => onMove(-1)}>↑<//>
        <${Act} act="down" says="Move ${shown} down" disabled=${last} onClick=${() => onMove(1)}>↓<//>
        <${Act} act="remove" says="Remove ${shown}" onClick=${onRemove}>✕<//>
      `}
    </li>
  `;
}

const Act = ({ act, says, disabled, onClick, children }) => html`
  <button type="button" class="quiet" data-act=${act} aria-label=${says} ...${{ disabled, onClick }}>
    ${children}
  </button>
`;

/** A connection that isn't on the list yet: arrow keys choose one, and the button adds it. */
function Adding({ names, inventory, onAdd }) {
  const [chosen, setChosen] = useState("");
  const others = inventory.providers.filter((row) => !names.includes(row.connection));
  const name = others.some((row) => row.connection === chosen) ? chosen : others[0]?.connection;
  if (!name) return null;
  const choice = (ties) => html`
    <select ...${ties} value=${name} onChange=${(event) => setChosen(event.target.value)}>
      ${others.map(
        ({ connection, ready }) => html`
          <option key=${connection} value=${connection}>
            ${connectionName(connection)}${ready ? "" : " (not ready)"}
          </option>
        `,
      )}
    </select>
  `;
  return html`
    <div class="order-add">
      <${Field} label="Another fallback">${choice}<//>
      <button type="button" onClick=${() => onAdd(name)}>Add</button>
    </div>
  `;
}
