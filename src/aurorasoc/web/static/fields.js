// The fields of a connection's form that aren't secret.

import { html, useEffect, useState } from "./htm-preact-standalone.js";
import { call } from "./api.js";
import { shown } from "./draft.js";
import { explain } from "./errors.js";
import { report, useConnected } from "./store.js";
import { Field, useId } from "./ui.js";
import { SOURCES } from "./words.js";

/** A model's name, with the provider's own list to choose from; one of two tells its length. */
export function ModelField({ label, name, row, draft, onType, models, counts }) {
  const hint = counts ? `${current(row, name)} ${models.text}` : current(row, name);
  const value = shown(draft, row, name);
  return html`<${ModelInput} ...${{ label, hint, value, onType, names: models.names }} />`;
}

/** A model's name, typed or chosen from `names`. */
export function ModelInput({ label, hint, value, onType, names, example }) {
  const listId = useId("models");
  const control = (ties) => html`
    <input
      ...${ties}
      type="text"
      list=${listId}
      maxlength="255"
      placeholder=${example}
      autocomplete="off"
      spellcheck=${false}
      value=${value}
      onInput=${(event) => onType(event.target.value)}
    />
    <datalist id=${listId}>
      ${names.map((model) => html`<option key=${model} value=${model} />`)}
    </datalist>
  `;
  return html`<${Field} label=${label} hint=${hint}>${control}<//>`;
}

/** Where the provider is. Another origin needs a key of its own, which is said at once. */
export function BaseUrlField({ name, row, draft, onType, moved }) {
  const hint = moved
    ? `The key in force belongs to ${row.base_url} and stays there: enter the key for the new ` +
      `address below, with this change.`
    : `${current(row, name)} ${emptyAddress(row)}`;
  const value = shown(draft, row, name);
  return html`<${AddressInput} ...${{ hint, value, onType, tone: moved ? "warn" : "" }} />`;
}

export function AddressInput({ hint, tone, value, onType, required }) {
  const control = (ties) => html`
    <input
      ...${ties}
      type="url"
      inputmode="url"
      maxlength="2048"
      autocomplete="off"
      spellcheck=${false}
      required=${required}
      value=${value}
      onInput=${(event) => onType(event.target.value)}
    />
  `;
  return html`<${Field} label="Base URL" hint=${hint} tone=${tone}>${control}<//>`;
}

function emptyAddress(row) {
  if (row.source !== "runtime") return "Leave it empty for the boot default.";
  return row.base_url_support === "required" ? "" : "Leave it empty for the vendor's own address.";
}

// Problems of the chosen model: the provider lists others.
const OF_THE_MODEL = ["no_model_configured", "model_retired"];

const current = (row, name) => `Now: ${row[name] ?? "none"} (${SOURCES[row.sources[name]]}).`;

const counted = (models) => `${models || "no"} model${models === 1 ? "" : "s"}`;

/** What a connection's provider lists: `names`, and in `text` how many, or why there are none. */
export function useModels(row) {
  const [found, setFound] = useState({ names: [], text: "" });
  const { connection, key_last4: last4, base_url: address, problems } = row ?? {};
  const askable = problems?.every(({ code }) => OF_THE_MODEL.includes(code)) ?? false;
  const connected = useConnected();
  useEffect(() => {
    if (!connected) return;
    let wanted = askable;
    const show = (names, text) => wanted && setFound({ names, text });
    setFound({ names: [], text: askable ? "Reading the provider's list of models…" : "" });
    if (askable) {
      call("GET", `/system/llm/providers/${connection}/models`).then(
        ({ models }) => show(models, `The provider lists ${counted(models.length)}.`),
        (problem) => {
          show([], `The provider's list of models can't be read: ${explain(problem).title}.`);
          report(problem);
        },
      );
    }
    return () => (wanted = false);
  }, [connection, askable, last4, address, connected]);
  return found;
}
