// The newest entries of the audit log: who did what.

import { html } from "./htm-preact-standalone.js";
import { usePages } from "./history.js";
import { ProblemNotice, When } from "./ui.js";
import { actionName, fieldName, targetName, valueName } from "./words.js";

export function Audit({ inventory }) {
  const { entries, more, problem, older, again } = usePages("/audit", "entries", inventory.revision);
  return html`
    <section class="panel" aria-labelledby="audit-title">
      <div class="panel-head">
        <h2 id="audit-title">Audit log</h2>
        <button type="button" class="quiet" onClick=${again}>Read anew</button>
      </div>
      <${ProblemNotice} problem=${problem} />
      ${entries.length === 0 && !problem && html`<p class="empty">Nothing was recorded yet.</p>`}
      <ol class="record">
        ${entries.map((entry) => html`
          <li key=${entry.seq}>
            <details>
              <summary>
                <span class="number">${entry.seq}</span>
                <span class="what">${actionName(entry.action)} <strong>${targetName(entry.target)}</strong></span>
                <span class="who">${entry.actor}, <${When} at=${entry.at} /></span>
              </summary>
              <${Details} of=${entry.details} />
              <p class="dim">Hash <code>${entry.hash.slice(0, 16)}…</code></p>
            </details>
          </li>
        `)}
      </ol>
      ${more && html`<button type="button" class="quiet" onClick=${older}>Older</button>`}
    </section>
  `;
}

const Details = ({ of: details }) => html`
  <dl class="differences">
    ${Object.entries(details).map(([name, value]) => html`
      <div key=${name}><dt>${fieldName(name).replaceAll("_", " ")}</dt><dd>${valueName(value) + ""}</dd></div>
    `)}
  </dl>
`;
