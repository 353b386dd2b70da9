// A model's name, typed or chosen: an editable combobox with a list (WAI-ARIA APG).

import { html, useEffect, useRef, useState } from "./htm-preact-standalone.js";
import { offered } from "./model_kinds.js";
import { Field, useId } from "./ui.js";

const CLOSED = { open: false, typed: "", all: false, at: -1 };

/** `names` are what the provider lists; `onOpen` may read them first. */
export function ModelInput({ label, hint, value, onType, names, example, onOpen }) {
  const id = useId("models");
  const list = useList({ names, value, onType, onOpen });
  const control = (ties) => html`
    <div class="picker">
      <input
        ...${ties}
        ...${list.input}
        type="text"
        role="combobox"
        aria-autocomplete="list"
        aria-expanded=${String(list.open)}
        aria-controls=${list.open ? id : undefined}
        aria-activedescendant=${list.open && list.at >= 0 ? `${id}-${list.at}` : undefined}
        maxlength="255"
        placeholder=${example}
        autocomplete="off"
        autocapitalize="off"
        spellcheck=${false}
        value=${value}
      />
      ${list.open && html`<${List} ...${{ id, list, value, label }} />`}
      <span class="unseen" role="status">${list.open && `${list.options.length} to choose from`}</span>
    </div>
  `;
  return html`<${Field} label=${label} hint=${hint}>${control}<//>`;
}

function useList({ names, value, onType, onOpen }) {
  const [state, setState] = useState(CLOSED);
  const { families, hidden, more } = offered(names, state.typed, state.all);
  const options = [
    ...families.flatMap((family) => family.names.map((name) => ({ name }))),
    ...(hidden ? [{ others: hidden }] : []),
  ];
  const done = options.length === 1 && options[0].name === state.typed.trim();
  const open = state.open && options.length > 0 && !done;

  const show = (changes) => {
    if (!state.open) onOpen?.();
    setState({ ...state, open: true, ...changes });
  };
  const close = () => setState(CLOSED);
  const choose = ({ name, others }) => {
    if (others) return setState({ ...state, all: true, at: -1 });
    onType(name);
    close();
  };
  const move = (step) => {
    const last = options.length - 1;
    const next = state.at + step;
    if (!open) show({ typed: "", at: options.findIndex(({ name }) => name === value) });
    else show({ at: next < 0 ? last : next > last ? 0 : next });
  };
  const keys = {
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    Enter: open && state.at >= 0 && (() => choose(options[state.at])),
    Escape: open && close,
  };
  const input = {
    onClick: () => !open && show({ typed: "" }),
    onInput: ({ target }) => (onType(target.value), show({ typed: target.value, at: -1 })),
    onBlur: close,
    onKeyDown: (event) => {
      if (!keys[event.key]) return;
      event.preventDefault();
      event.stopPropagation(); // Escape would close the dialog, and Enter send the form
      keys[event.key]();
    },
  };
  return { ...{ open, families, options, more, choose, input }, at: state.at };
}

function List({ id, list, value, label }) {
  const box = useRef(null);
  useEffect(() => box.current.scrollIntoView({ block: "nearest" }), []);
  let index = -1;
  const option = ({ name, others }) => {
    const at = (index += 1);
    const active = at === list.at;
    return html`
      <${Option}
        key=${name ?? "others"}
        id="${id}-${at}"
        ...${{ active, selected: name === value }}
        onChoose=${() => list.choose({ name, others })}
      >
        ${name ?? `Show ${others} more that ${others === 1 ? "isn't a chat model" : "aren't chat models"}`}
      <//>
    `;
  };
  const keepFocus = (event) => event.preventDefault();
  return html`
    <div ref=${box} id=${id} class="options" role="listbox" aria-label=${label} onMouseDown=${keepFocus}>
      ${list.families.map(
        ({ family, names }) => html`
          <div key=${family} role="group" aria-label=${family}>
            <div class="family" aria-hidden="true">${family}</div>
            ${names.map((name) => option({ name }))}
          </div>
        `,
      )}
      ${list.options.filter(({ others }) => others).map(option)}
      ${list.more > 0 && html`<p class="family" aria-hidden="true">${list.more} more: type to search.</p>`}
    </div>
  `;
}

function Option({ id, active, selected, onChoose, children }) {
  const element = useRef(null);
  useEffect(() => {
    if (active || selected) element.current.scrollIntoView({ block: "nearest" });
  }, [active]);
  return html`
    <div
      ref=${element}
      id=${id}
      role="option"
      class=${active ? "active" : ""}
      aria-selected=${String(selected)}
      onClick=${onChoose}
    >
      ${children}
    </div>
  `;
}
