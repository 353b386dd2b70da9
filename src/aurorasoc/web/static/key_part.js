// A provider's key: what is known of the stored one, and the field for a new one.

import { html, useState } from "./htm-preact-standalone.js";
import { SecretField } from "./ui.js";
import { providerName, SOURCES, takesKey } from "./words.js";

export function KeyPart({ row, draft, moved, onType, onRemove }) {
  const [asked, setAsked] = useState(false);
  if (!takesKey(row)) return null;
  const stored = row.key_source === "database" || row.key_source === "vault";
  return html`
    <${SecretField}
      label=${row.key_present ? "New key" : "Key"} tone=${moved ? "warn" : ""}
      value=${draft.api_key} onValue=${onType} required=${moved && row.needs_key}
      hint=${moved
        ? "The new address needs its own key, together with this change."
        : `${known(row)} Paste or type it; once stored it is never shown again.`}
    />
    ${stored && !asked && html`
      <p><button type="button" class="quiet" onClick=${() => setAsked(true)}>Remove the stored key…</button></p>
    `}
    ${stored && asked && html`
      <p class="ways" role="group" aria-label="Remove the key">
        <span>${consequence(row)}</span>
        <button type="button" class="danger" onClick=${() => (setAsked(false), onRemove())}>Remove it</button>
        <button type="button" onClick=${() => setAsked(false)}>Keep it</button>
      </p>
    `}
  `;
}

function known(row) {
  if (!row.key_present) return row.needs_key ? "No key is stored." : "No key is stored; it needs none.";
  const ends = row.key_last4 ? ` that ends in ${row.key_last4}` : "";
  return `There is a key${ends} (${SOURCES[row.key_source]}).`;
}

const consequence = (row) =>
  row.active
    ? `${providerName(row.provider)} is in force: runs that use this key end. `
    : "A key from the environment, if there is one, is in force again. ";
