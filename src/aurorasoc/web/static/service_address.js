// The address of a new connection: a base URL, or what a known service's address leaves open.

import { html } from "./htm-preact-standalone.js";
import { AddressInput, CallsTo } from "./address.js";
import { filledIn, placeholderIn, placeholdersOf } from "./known.js";
import { Field } from "./ui.js";
import { mayBeLocal } from "./words.js";

/** The address as typed or filled in; null while a part of it is missing. */
export function addressOf(service, { values, address }) {
  const pattern = service.base_url ?? "";
  return placeholdersOf(pattern).length > 0 ? filledIn(pattern, values) : address.trim();
}

/** The base URL, or the parts of it that a known service leaves open. */
export function ServiceAddress({ service, draft, set, address }) {
  if (service.provider === "gemini") return null;
  const pattern = service.base_url ?? "";
  const parts = placeholdersOf(pattern);
  if (parts.length === 0) {
    const required = mayBeLocal(service.provider);
    const hint = required
      ? "Where the server is."
      : "Leave it empty for the vendor's own address.";
    return html`
      <${AddressInput}
        ...${{ hint, required, address, value: draft.address }}
        onType=${set("address")}
      />
    `;
  }
  const complete = filledIn(pattern, draft.values) !== null;
  const hint = complete ? html`<${CallsTo} address=${address} />` : `It is filled in here: ${pattern}`;
  return parts.map((name) => {
    const fill = (event) =>
      set("values")({ ...draft.values, [name]: placeholderIn(pattern, name, event.target.value) });
    const control = (ties) => html`
      <input
        ...${ties}
        type="text"
        pattern="[A-Za-z0-9.\\-]+"
        required
        maxlength="253"
        autocomplete="off"
        spellcheck=${false}
        value=${draft.values[name] ?? ""}
        onInput=${fill}
      />
    `;
    const label = `${name[0].toUpperCase()}${name.slice(1)}`;
    return html`<${Field} key=${name} label=${label} hint=${hint}>${control}<//>`;
  });
}
