// A provider's key: what is known of the stored one, and the field for a new one.

import { html, useState } from "./htm-preact-standalone.js";
import { KeyLife, SecretField } from "./ui.js";
import { connectionName, SOURCES, takesKey } from "./words.js";

export function KeyPart({ row, draft, moved, onType, onRemove }) {
  if (!takesKey(row)) return null;
  const hint = moved
    ? "The new address needs its own key, together with this change."
    : html`
        ${known(row)}${row.key_set_at && html`, <${KeyLife} row=${row} />`}. Paste or type a new
        one. A stored key is never shown again.
      `;
  return html`
    <${SecretField}
      label=${row.key_present ? "New key" : "Key"}
      tone=${moved ? "warn" : ""}
      hint=${hint}
      value=${draft.api_key}
      onValue=${onType}
      required=${moved && row.needs_key}
    />
    ${["database", "vault"].includes(row.key_source) &&
    html`<${Removal} row=${row} onRemove=${onRemove} />`}
  `;
}

function known(row) {
  if (!row.key_present) return row.needs_key ? "No key is stored" : "No key is stored; it needs none";
  const ends = row.key_last4 ? ` that ends in ${row.key_last4}` : "";
  return `There is a key${ends} (${SOURCES[row.key_source]})`;
}

/** Removing the stored key, asked twice. */
function Removal({ row, onRemove }) {
  const [asked, setAsked] = useState(false);
  if (!asked) {
    return html`
      <p>
        <button type="button" class="quiet" onClick=${() => setAsked(true)}>
          Remove the stored key…
        </button>
      </p>
    `;
  }
  return html`
    <p class="ways" role="group" aria-label="Remove the key">
      <span>${consequence(row)}</span>
      <button type="button" class="danger" onClick=${() => (setAsked(false), onRemove())}>
        Remove it
      </button>
      <button type="button" onClick=${() => setAsked(false)}>Keep it</button>
    </p>
  `;
}

const consequence = (row) =>
  row.active
    ? `${connectionName(row.connection)} is in force: runs that use this key end.`
    : "A key from the environment, if there is one, is in force again.";
