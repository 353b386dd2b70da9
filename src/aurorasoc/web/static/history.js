// Revisions, what each changed, and the way back.

import { html, useEffect, useState } from "./htm-preact-standalone.js";
import { call } from "./api.js";
import { useChange } from "./change.js";
import { Conflict, Differences } from "./conflict.js";
import { may, report, say } from "./store.js";
import { Modal, ProblemNotice, When } from "./ui.js";
import { actionName, targetName } from "./words.js";

const PAGE = 8;

export function History({ inventory }) {
  const { entries, more, problem, older } = usePages("/system/llm/history", "revisions", inventory.revision);
  const [chosen, setChosen] = useState(null);
  return html`
    <section class="panel" aria-labelledby="history-title">
      <h2 id="history-title">History</h2>
      <${ProblemNotice} problem=${problem} />
      ${entries.length === 0 && !problem && html`<p class="empty">Nothing was changed yet: the boot defaults are in force.</p>`}
      <ol class="record">
        ${entries.map((entry) => html`
          <${Revision}
            key=${entry.revision} entry=${entry}
            onBack=${may("users:manage") && entry.revision !== inventory.revision && (() => setChosen(entry))}
          />
        `)}
      </ol>
      ${more && html`<button type="button" class="quiet" onClick=${older}>Older</button>`}
      ${chosen && html`<${Rollback} entry=${chosen} inventory=${inventory} onClose=${() => setChosen(null)} />`}
    </section>
  `;
}

/** Read a list page by page, and its first page anew with each revision. */
export function usePages(path, name, revision) {
  const [state, setState] = useState({ entries: [], more: null, problem: null });
  async function read(before) {
    try {
      const page = await call("GET", `${path}?limit=${PAGE}${before ? `&before=${before}` : ""}`);
      setState(({ entries }) => ({
        entries: before ? [...entries, ...page[name]] : page[name],
        more: page.next_before,
        problem: null,
      }));
    } catch (problem) {
      setState((had) => ({ ...had, problem }));
      report(problem);
    }
  }
  useEffect(() => void read(), [revision]);
  return { ...state, older: () => read(state.more), again: () => read() };
}

function Revision({ entry, onBack }) {
  const [detail, setDetail] = useState(null);
  const read = (event) => {
    if (!event.target.open || detail) return;
    call("GET", `/system/llm/history/${entry.revision}`).then(setDetail, report);
  };
  return html`
    <li>
      <details onToggle=${read}>
        <summary>
          <span class="number">${entry.revision}</span>
          <span class="what">${actionName(entry.action)} <strong>${targetName(entry.target)}</strong></span>
          <span class="who">${entry.actor}, <${When} at=${entry.at} /></span>
        </summary>
        ${detail && html`<${Differences} changes=${detail.changes} />`}
        ${onBack && html`
          <button type="button" aria-label="Roll back to revision ${entry.revision}" onClick=${onBack}>Roll back to this…</button>
        `}
      </details>
    </li>
  `;
}

function Rollback({ entry, inventory, onClose }) {
  const change = useChange();
  async function confirm() {
    const answer = await change.run((send) => send("POST", "/system/llm/rollback", { revision: entry.revision }));
    if (!answer) return;
    say(`Rolled back to revision ${entry.revision}, as revision ${answer.revision}.`);
    onClose();
  }
  return html`
    <${Modal}
      title="Roll back to revision ${entry.revision}?"
      onClose=${onClose}
      footer=${html`
        <button type="button" class="primary" disabled=${change.busy || change.overtaken} onClick=${confirm}>
          ${change.busy ? "Rolling back…" : "Roll back"}
        </button>
        <button type="button" onClick=${onClose}>Back</button>
      `}
    >
      <${ProblemNotice} problem=${change.problem} />
      <${Conflict} change=${change} revision=${inventory.revision} />
      <p>
        Choice, models, base URLs and policy become what they were at revision ${entry.revision}, as a
        new revision ${inventory.revision + 1}. Keys are not rolled back.
      </p>
    <//>
  `;
}
