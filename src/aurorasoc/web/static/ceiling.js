// How far data may travel on a connection. Pure, but for the field in which it is chosen.

import { html } from "./htm-preact-standalone.js";
import { Field } from "./ui.js";
import { allowed, HIGHEST, LABELS, list, mayBeLocal } from "./words.js";

export const MEANING = {
  NONE: "nothing that has a label",
  CLEAR: "may be published",
  GREEN: "the community",
  AMBER: "the organisation and its clients",
  "AMBER+STRICT": "the organisation only",
  RED: "the recipients only",
};

/** The highest label that may go to a connection; null: any, while it is local. */
export const limitOf = (row, policy) =>
  row.max_tlp ?? (row.data_leaves_host ? policy.hosted_max_tlp : null);

/** "up to AMBER, its own ceiling" */
export function ceilingWords(row, policy) {
  const limit = limitOf(row, policy);
  if (limit === null) return "any label, while it is local";
  const reach = limit === "NONE" ? "no label" : limit === "RED" ? "any label" : `up to ${limit}`;
  return `${reach}, ${row.max_tlp ? "its own ceiling" : "by the policy"}`;
}

/** A sentence of which labelled data may go to a connection. */
function reachOf(row, policy) {
  const limit = limitOf(row, policy);
  if (limit === null) return "Data with any label may go there, while it is local.";
  const labels = allowed(limit);
  if (labels.length === LABELS.length) return "Data with any label may go there.";
  if (labels.length === 0) return "No labelled data may go there.";
  return `Data labelled ${list(labels)} may go there; what is labelled higher may not.`;
}

/** The same, while hosted traffic may be stopped. */
export const reachNow = (row, { policy, hosted_traffic: traffic }) =>
  traffic.state === "stopped" && !mayBeLocal(row.provider)
    ? "Nothing goes there: hosted traffic is stopped."
    : reachOf(row, policy);

/** Choose a ceiling; an empty value means the policy's. */
export function CeilingField({ value, policy, onValue }) {
  const hint = value
    ? "A label above it never goes there, wherever the server is."
    : "The policy decides: what is above its limit may go to an Ollama or vLLM server that is local.";
  const control = (ties) => html`
    <select ...${ties} value=${value} onChange=${(event) => onValue(event.target.value)}>
      <option value="">As the policy says (hosted: ${policy.hosted_max_tlp})</option>
      ${HIGHEST.map(
        (label) => html`<option key=${label} value=${label}>${label}: ${MEANING[label]}</option>`,
      )}
    </select>
  `;
  return html`<${Field} label="Highest label that may go there (TLP)" hint=${hint}>${control}<//>`;
}
