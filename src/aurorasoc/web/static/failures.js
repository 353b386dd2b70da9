// The last failure of each connection: its code, what that means, and when.

import { html } from "./htm-preact-standalone.js";
import { failure } from "./errors.js";
import { Mark, When } from "./ui.js";
import { connectionName } from "./words.js";

export function Failures({ inventory }) {
  const rows = inventory.providers.filter((row) => row.last_error).sort(newestFirst);
  return html`
    <section class="panel" aria-labelledby="failures-title">
      <h2 id="failures-title">Last failures</h2>
      ${rows.length === 0 &&
      html`<p class="empty">No call of this process has failed since it started.</p>`}
      <ul class="failures">
        ${rows.map(
          ({ connection, last_error: error }) => html`
            <li key=${connection}>
              <${Mark} tone="bad">
                <strong>${connectionName(connection)}</strong>: ${failure(error.code)}${" "}
                <code>${error.code}</code>
              <//>
              <span class="who">${error.at && html`<${When} at=${error.at} />`}</span>
              <p class="dim">${error.detail}</p>
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}

const newestFirst = (one, other) => String(other.last_error.at).localeCompare(String(one.last_error.at));
