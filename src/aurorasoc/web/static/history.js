// Revisions, what each changed, and the way back.

import { html, useState } from "./htm-preact-standalone.js";
import { call } from "./api.js";
import { Differences } from "./conflict.js";
import { usePages } from "./pages.js";
import { Rollback } from "./rollback.js";
import { may, report } from "./store.js";
import { ProblemNotice, Summary } from "./ui.js";

export function History({ inventory }) {
  const { revision } = inventory;
  const { entries, more, problem, older } = usePages("/system/llm/history", "revisions", revision);
  const [chosen, setChosen] = useState(null);
  const offers = (entry) => may("users:manage") && entry.revision !== revision;
  return html`
    <section class="panel" aria-labelledby="history-title">
      <h2 id="history-title">History</h2>
      <${ProblemNotice} problem=${problem} />
      ${entries.length === 0 &&
      !problem &&
      html`<p class="empty">No changes yet: the boot defaults are in force.</p>`}
      <ol class="record">
        ${entries.map(
          (entry) => html`
            <${Revision}
              key=${entry.revision}
              entry=${entry}
              onBack=${offers(entry) && (() => setChosen(entry.revision))}
            />
          `,
        )}
      </ol>
      ${more && html`<button type="button" class="quiet" onClick=${older}>Older</button>`}
      ${chosen &&
      html`<${Rollback} to=${chosen} onClose=${() => setChosen(null)} />`}
    </section>
  `;
}

function Revision({ entry, onBack }) {
  const { revision } = entry;
  const [detail, setDetail] = useState(null);
  const read = (event) => {
    if (!event.target.open || detail) return;
    call("GET", `/system/llm/history/${revision}`).then(setDetail, report);
  };
  return html`
    <li>
      <details onToggle=${read}>
        <${Summary} number=${revision} entry=${entry} />
        ${detail && html`<${Differences} changes=${detail.changes} />`}
        ${onBack &&
        html`
          <button type="button" aria-label="Roll back to revision ${revision}" onClick=${onBack}>
            Roll back to this…
          </button>
        `}
      </details>
    </li>
  `;
}
