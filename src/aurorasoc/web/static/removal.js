// Deleting a connection, asked twice; who uses it is said before.

import { html, useState } from "./htm-preact-standalone.js";
import { list } from "./words.js";

export function Removal({ inventory, row, onRemove }) {
  const [asked, setAsked] = useState(false);
  if (!asked) {
    return html`
      <p>
        <button type="button" class="quiet" onClick=${() => setAsked(true)}>
          Delete this connection…
        </button>
      </p>
    `;
  }
  const uses = usesOf(inventory, row.connection);
  const text = uses.length
    ? `It is used by ${list(uses)}. It can be deleted once nobody uses it.`
    : "Nobody uses it. Its stored key is deleted with it.";
  return html`
    <p class="ways" role="group" aria-label="Delete the connection">
      <span>${text}</span>
      <button type="button" class="danger" onClick=${() => (setAsked(false), onRemove())}>
        Delete it
      </button>
      <button type="button" onClick=${() => setAsked(false)}>Keep it</button>
    </p>
  `;
}

/** Who uses a connection, a few words each. */
export function usesOf({ active, policy, assignments }, name) {
  const assigned = (what, whom) =>
    Object.entries(whom)
      .filter(([, its]) => its.connection === name)
      .map(([who]) => `the ${what} ${who}`);
  return [
    ...(active.requested === name ? ["all without an assignment (it is in force)"] : []),
    ...(policy.local_backend === name ? ["the policy, as the local backend"] : []),
    ...assigned("role", assignments.roles),
    ...assigned("agent", assignments.agents),
  ];
}
