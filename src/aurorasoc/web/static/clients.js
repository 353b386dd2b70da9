// Machine clients of the door: what each may send, until when, and when it was last used.

import { html, useState } from "./htm-preact-standalone.js";
import { actWords, amountWords } from "./budget_words.js";
import { useChange } from "./change.js";
import { NewClient, NewSecret } from "./client_form.js";
import { Conflict } from "./conflict.js";
import { may, say } from "./store.js";
import { Mark, Modal, Notice, ProblemNotice, Problems, When } from "./ui.js";
import { list } from "./words.js";

/** `clients` is what `useReading` returned. */
export function Clients({ inventory, clients }) {
  const [open, setOpen] = useState(null); // {what: "new" | "secret" | "revoke", name}
  const rows = clients.value?.clients;
  const close = () => setOpen(null);
  const shared = { revision: inventory.revision, name: open?.name, onClose: close };
  return html`
    <section class="panel" aria-labelledby="clients-title">
      <div class="panel-head">
        <h2 id="clients-title">Clients</h2>
        ${rows &&
        may("users:manage") &&
        html`<button type="button" class="quiet" onClick=${() => setOpen({ what: "new" })}>Add a client…</button>`}
      </div>
      <p class="lead">Programs that call models by OpenAI's protocol, each with a secret of its own.</p>
      <${ProblemNotice} problem=${clients.problem} />
      ${rows?.length === 0 && html`<p class="empty">No clients yet.</p>`}
      ${rows?.length > 0 && html`<${ClientTable} rows=${rows} onOpen=${setOpen} />`}
      ${open?.what === "new" && html`<${NewClient} ...${shared} taken=${rows.map((row) => row.name)} />`}
      ${open?.what === "secret" && html`<${NewSecret} ...${shared} />`}
      ${open?.what === "revoke" && html`<${Revoking} ...${shared} />`}
    </section>
  `;
}

const ClientTable = ({ rows, onOpen }) => html`
  <table role="table" class="usage-table">
    <thead role="rowgroup">
      <tr role="row">
        ${["Client", "Highest label", "Valid until", "Last used", "Budget"].map(
          (words) => html`<th role="columnheader" scope="col" key=${words}>${words}</th>`,
        )}
        ${may("users:manage") &&
        html`<th role="columnheader" scope="col"><span class="unseen">Actions</span></th>`}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows.map((row) => html`<${Row} key=${row.name} row=${row} onOpen=${onOpen} />`)}
    </tbody>
  </table>
`;

const Row = ({ row, onOpen }) => html`
  <tr role="row">
    <th role="rowheader" scope="row">
      <span class="name">${row.name}</span>
      ${row.created_at &&
      html`<span class="best-for">made <${When} at=${row.created_at} /> by ${row.created_by}</span>`}
      ${row.problem && html`<${Problems} problems=${[row.problem]} />`}
    </th>
    <td role="cell" data-label="Highest label"><span>${row.max_tlp ?? "any"}</span></td>
    <td role="cell" data-label="Valid until"><span><${Ends} row=${row} /></span></td>
    <td role="cell" data-label="Last used">
      <span>${row.last_used_at ? html`<${When} at=${row.last_used_at} />` : html`<span class="dim">never</span>`}</span>
    </td>
    <td role="cell" data-label="Budget">
      <span>
        ${row.budget
          ? html`${amountWords(row.budget)}<span class="value facts">${actWords(row.budget)}</span>`
          : html`<span class="dim">none of its own</span>`}
      </span>
    </td>
    ${may("users:manage") &&
    html`<td role="cell" class="actions"><${Actions} name=${row.name} onOpen=${onOpen} /></td>`}
  </tr>
`;

function Ends({ row }) {
  const { expires_at: end, old_secret_until: old } = row;
  const over = end && new Date(end) <= new Date();
  return html`
    ${over
      ? html`<${Mark} tone="off">ended <${Moment} at=${end} /><//>`
      : end
        ? html`<${Moment} at=${end} />`
        : html`<span class="dim">no end</span>`}
    ${old &&
    new Date(old) > new Date() &&
    html`<span class="value facts">its old secret until <${Moment} at=${old} /></span>`}
  `;
}

const Moment = ({ at }) => html`<time datetime=${at}>${new Date(at).toLocaleString()}</time>`;

const Actions = ({ name, onOpen }) => html`
  <button type="button" aria-label="New secret for ${name}" onClick=${() => onOpen({ what: "secret", name })}>
    New secret…
  </button>
  <button type="button" aria-label="Revoke ${name}" onClick=${() => onOpen({ what: "revoke", name })}>Revoke…</button>
`;

const WAIT = 5; // seconds in which all processes should have adopted it

function Revoking({ name, revision, onClose }) {
  const change = useChange();
  const [pending, setPending] = useState([]); // processes that may still take its secret
  async function revoke() {
    const answer = await change.run((call) => call("DELETE", `/clients/${name}?wait=${WAIT}`));
    if (!answer) return;
    say(`The client ${name} is revoked.`);
    if (answer.adoption.adopted) onClose();
    else setPending(answer.adoption.pending);
  }
  const footer = html`
    <button type="button" class="danger" disabled=${change.busy || change.overtaken} onClick=${revoke}>
      ${change.busy ? "Revoking…" : "Revoke it"}
    </button>
    <button type="button" onClick=${onClose}>Back</button>
  `;
  return html`
    <${Modal} title="Revoke ${name}?" onClose=${onClose} footer=${footer}>
      <${Conflict} change=${change} revision=${revision} />
      <${ProblemNotice} problem=${change.problem} />
      ${pending.length > 0 &&
      html`
        <${Notice} tone="warn" title="It is revoked, but not everywhere yet" alert>
          These processes haven't adopted it, and may still take its secret: ${list(pending)}.
        <//>
      `}
      <p>
        Its secrets are refused from then on, in every process, and its calls under way end. What it
        has used stays counted.
      </p>
    <//>
  `;
}
