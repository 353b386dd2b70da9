// A model's name, with the provider's own list to choose from.

import { html, useEffect, useState } from "./htm-preact-standalone.js";
import { call } from "./api.js";
import { shown } from "./draft.js";
import { explain } from "./errors.js";
import { Field, useId } from "./ui.js";
import { SOURCES } from "./words.js";

export function ModelField({ label, row, field, draft, onType, names, hint = "" }) {
  const listId = useId("models");
  const inForce = `In force: ${row[field] ?? "none"} (${SOURCES[row.sources[field]]}).`;
  return html`
    <${Field} label=${label} hint="${inForce} ${hint}">
      ${(ties) => html`
        <input
          ...${ties}
          type="text"
          list=${listId}
          maxlength="255"
          autocomplete="off"
          spellcheck=${false}
          value=${shown(draft, row, field)}
          onInput=${(event) => onType(event.target.value)}
        />
        <datalist id=${listId}>
          ${names.map((name) => html`<option key=${name} value=${name} />`)}
        </datalist>
      `}
    <//>
  `;
}

/** What the provider itself lists: `names`, and in `text` how many, or why there are none. */
export function useModels(row) {
  const [found, setFound] = useState({ names: [], text: "" });
  const { provider, key_last4: last4, base_url: address } = row;
  const askable = row.problems.every(({ code }) => code === "no_model_configured");
  useEffect(() => {
    let wanted = askable;
    const show = (names, text) => wanted && setFound({ names, text });
    show([], "Asking the provider what it has…");
    if (askable) {
      call("GET", `/system/llm/providers/${provider}/models`).then(
        ({ models }) => show(models, `The provider lists ${models.length || "none"} to choose from.`),
        (problem) => show([], `The provider's list can't be had: ${explain(problem).title}.`),
      );
    }
    return () => (wanted = false);
  }, [provider, askable, last4, address]);
  return found;
}
