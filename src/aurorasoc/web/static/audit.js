// The newest entries of the audit log: who did what.

import { html } from "./htm-preact-standalone.js";
import { usePages } from "./pages.js";
import { ProblemNotice, Summary } from "./ui.js";
import { fieldName, valueName } from "./words.js";

export function Audit({ inventory }) {
  const pages = usePages("/audit", "entries", inventory.revision);
  const { entries, more, problem, older, again } = pages;
  return html`
    <section class="panel" aria-labelledby="audit-title">
      <div class="panel-head">
        <h2 id="audit-title">Audit log</h2>
        <button type="button" class="quiet" onClick=${again}>Refresh</button>
      </div>
      <${ProblemNotice} problem=${problem} />
      ${entries.length === 0 && !problem && html`<p class="empty">No entries yet.</p>`}
      <ol class="record">
        ${entries.map((entry) => html`<${Entry} key=${entry.seq} entry=${entry} />`)}
      </ol>
      ${more && html`<button type="button" class="quiet" onClick=${older}>Older</button>`}
    </section>
  `;
}

const Entry = ({ entry }) => html`
  <li>
    <details>
      <${Summary} number=${entry.seq} entry=${entry} />
      <dl class="differences">
        ${Object.entries(entry.details).map(
          ([name, value]) => html`
            <div key=${name}>
              <dt>${fieldName(name).replaceAll("_", " ")}</dt>
              <dd>${String(valueName(value))}</dd>
            </div>
          `,
        )}
      </dl>
      ${
        entry.readable === false &&
        html`<p>Unreadable: this service didn't write it. Run <code>aurorasoc audit verify</code>.</p>`
      }
      <p class="dim">Hash <code>${entry.hash.slice(0, 16)}…</code></p>
    </details>
  </li>
`;
