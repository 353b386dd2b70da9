// The fields of a provider's form that aren't secret.

import { html, useEffect, useState } from "./htm-preact-standalone.js";
import { call } from "./api.js";
import { shown } from "./draft.js";
import { explain } from "./errors.js";
import { Field, useId } from "./ui.js";
import { SOURCES } from "./words.js";

/** A model's name, with the provider's own list to choose from; one of two tells its length. */
export function ModelField({ label, name, row, draft, onType, models, counts }) {
  const listId = useId("models");
  const hint = counts ? `${inForce(row, name)} ${models.text}` : inForce(row, name);
  const control = (ties) => html`
    <input
      ...${ties}
      type="text"
      list=${listId}
      maxlength="255"
      autocomplete="off"
      spellcheck=${false}
      value=${shown(draft, row, name)}
      onInput=${(event) => onType(event.target.value)}
    />
    <datalist id=${listId}>
      ${models.names.map((model) => html`<option key=${model} value=${model} />`)}
    </datalist>
  `;
  return html`<${Field} label=${label} hint=${hint}>${control}<//>`;
}

/** Where the provider is. Another origin needs a key of its own, which is said at once. */
export function BaseUrlField({ name, row, draft, onType, moved }) {
  const hint = moved
    ? `The key in force belongs to ${row.base_url} and stays there: enter the key for the new ` +
      `address below, with this change.`
    : `${inForce(row, name)} Emptied, it goes back to the boot default.`;
  const control = (ties) => html`
    <input
      ...${ties}
      type="url"
      inputmode="url"
      autocomplete="off"
      spellcheck=${false}
      value=${shown(draft, row, name)}
      onInput=${(event) => onType(event.target.value)}
    />
  `;
  return html`<${Field} label="Base URL" hint=${hint} tone=${moved ? "warn" : ""}>${control}<//>`;
}

// Problems of the chosen model: the provider lists others.
const OF_THE_MODEL = ["no_model_configured", "model_retired"];

const inForce = (row, name) => `In force: ${row[name] ?? "none"} (${SOURCES[row.sources[name]]}).`;

/** What the provider itself lists: `names`, and in `text` how many, or why there are none. */
export function useModels(row) {
  const [found, setFound] = useState({ names: [], text: "" });
  const { provider, key_last4: last4, base_url: address } = row;
  const askable = row.problems.every(({ code }) => OF_THE_MODEL.includes(code));
  useEffect(() => {
    let wanted = askable;
    const show = (names, text) => wanted && setFound({ names, text });
    show([], "Asking the provider what it has…");
    if (askable) {
      call("GET", `/system/llm/providers/${provider}/models`).then(
        ({ models }) => show(models, `It lists ${models.length || "none"} to choose from.`),
        (problem) => show([], `Its list can't be had: ${explain(problem).title}.`),
      );
    }
    return () => (wanted = false);
  }, [provider, askable, last4, address]);
  return found;
}
