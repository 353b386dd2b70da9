// Revisions, what each changed, and the way back.

import { html, useState } from "./htm-preact-standalone.js";
import { call } from "./api.js";
import { useChange } from "./change.js";
import { Conflict, Differences } from "./conflict.js";
import { usePages } from "./pages.js";
import { may, report, say } from "./store.js";
import { Modal, ProblemNotice, Summary } from "./ui.js";

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
      html`<${Rollback} to=${chosen} revision=${revision} onClose=${() => setChosen(null)} />`}
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

function Rollback({ to, revision, onClose }) {
  const change = useChange();
  async function confirm() {
    const body = { revision: to };
    const answer = await change.run((call) => call("POST", "/system/llm/rollback", body));
    if (!answer) return;
    say(`Rolled back to revision ${to}, as revision ${answer.revision}.`);
    onClose();
  }
  const blocked = change.busy || change.overtaken;
  const footer = html`
    <button type="button" class="primary" disabled=${blocked} onClick=${confirm}>
      ${change.busy ? "Rolling back…" : "Roll back"}
    </button>
    <button type="button" onClick=${onClose}>Back</button>
  `;
  return html`
    <${Modal} title="Roll back to revision ${to}?" onClose=${onClose} footer=${footer}>
      <${ProblemNotice} problem=${change.problem} />
      <${Conflict} change=${change} revision=${revision} />
      <p>
        The active connection, models, base URLs and policy return to revision ${to}, as a new
        revision. Keys are not rolled back.
      </p>
    <//>
  `;
}
