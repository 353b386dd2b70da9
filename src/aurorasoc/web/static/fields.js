// The fields of a connection's form that aren't secret.

import { html } from "./htm-preact-standalone.js";
import { AddressInput } from "./address.js";
import { shown } from "./draft.js";
import { ModelInput } from "./model_picker.js";
import { SOURCES } from "./words.js";

/** A model's name, with the provider's own list to choose from; one of two tells its length. */
export function ModelField({ label, name, row, draft, onType, models, counts }) {
  const hint = counts ? `${current(row, name)} ${models.text}` : current(row, name);
  const value = shown(draft, row, name);
  const { names, read } = models;
  return html`<${ModelInput} ...${{ label, hint, value, onType, names }} onOpen=${read} />`;
}

/** Where the provider is. Another origin needs a key of its own, which is said at once. */
export function BaseUrlField({ name, row, draft, onType, moved, address }) {
  const hint = moved
    ? `The key in force belongs to ${row.base_url} and stays there: enter the key for the new ` +
      `address below, with this change.`
    : `${current(row, name)} ${emptyAddress(row)}`;
  const value = shown(draft, row, name);
  const tone = moved ? "warn" : "";
  return html`<${AddressInput} ...${{ hint, value, onType, address, tone }} />`;
}

function emptyAddress(row) {
  if (row.source !== "runtime") return "Leave it empty for the boot default.";
  return row.base_url_support === "required" ? "" : "Leave it empty for the vendor's own address.";
}

const current = (row, name) => `Now: ${row[name] ?? "none"} (${SOURCES[row.sources[name]]}).`;
