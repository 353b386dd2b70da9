// Who uses what: roles and agents, and the connection and model of each.

import { html, useState } from "./htm-preact-standalone.js";
import { AssignmentForm } from "./assignment_form.js";
import { useKnown } from "./known.js";
import { may } from "./store.js";
import { connectionName, rowOf } from "./words.js";

const ROLES = ["specialist", "orchestrator"];
const ANOTHER = { kind: "agents", name: "" }; // its name is typed

export function Assignments({ inventory }) {
  const { agents } = useKnown();
  const [chosen, setChosen] = useState(null); // {kind: "roles" | "agents", name}
  return html`
    <section class="panel" aria-labelledby="assignments-title">
      <div class="panel-head">
        <h2 id="assignments-title">Who uses what</h2>
        ${may("users:manage") &&
        html`<button type="button" class="quiet" onClick=${() => setChosen(ANOTHER)}>
          Assign another agent…
        </button>`}
      </div>
      <p class="lead">Roles and agents without an assignment use the connection in force.</p>
      <table role="table" class="assignments">
        <thead role="rowgroup">
          <tr role="row">
            <th role="columnheader" scope="col">Who</th>
            <th role="columnheader" scope="col">Connection</th>
            <th role="columnheader" scope="col">Model</th>
            <th role="columnheader" scope="col">Fallbacks</th>
            ${may("users:manage") &&
            html`<th role="columnheader" scope="col"><span class="unseen">Actions</span></th>`}
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${everybody(inventory.assignments, agents).map(
            (one) => html`
              <${Row} key="${one.kind} ${one.name}" ...${{ one, inventory }} onOpen=${setChosen} />
            `,
          )}
        </tbody>
      </table>
      ${chosen &&
      html`<${AssignmentForm} who=${chosen} inventory=${inventory} onClose=${() => setChosen(null)} />`}
    </section>
  `;
}

/** The roles, the service's own agents, and others that are assigned. */
function everybody(assignments, known) {
  const others = Object.keys(assignments.agents).filter(
    (name) => !known.some((agent) => agent.name === name),
  );
  return [
    ...ROLES.map((name) => ({ kind: "roles", name, role: name })),
    ...known.map(({ name, role }) => ({ kind: "agents", name, role })),
    ...others.sort().map((name) => ({ kind: "agents", name, role: "specialist" })),
  ];
}

const Row = ({ one, inventory, onOpen }) => {
  const { connection, model, fallbacks, why } = usedBy(one, inventory);
  const what = one.kind === "roles" ? "role" : "agent";
  const button = inventory.assignments[one.kind][one.name] ? "Change" : "Assign";
  return html`
    <tr role="row">
      <th role="rowheader" scope="row">
        <span class="name">${one.name}</span> <span class="source">${what}</span>
      </th>
      <td role="cell" data-label="Connection">
        <span>${connectionName(connection)} <span class=${why ? "dim" : "badge"}>${why || "assigned"}</span></span>
      </td>
      <td role="cell" data-label="Model"><code>${model ?? "none"}</code></td>
      <td role="cell" data-label="Fallbacks">
        ${fallbacks ? fallbacks.map(connectionName).join(", ") || "none" : html`<span class="dim">the policy's</span>`}
      </td>
      ${may("users:manage") &&
      html`
        <td role="cell" class="actions">
          <button
            type="button"
            aria-label="${button} the ${what} ${one.name}"
            onClick=${() => onOpen(one)}
          >
            ${button}…
          </button>
        </td>
      `}
    </tr>
  `;
};

/** What somebody uses: `why` is empty for an assignment of one's own. */
function usedBy({ kind, name, role }, inventory) {
  const { assignments, active } = inventory;
  const own = assignments[kind][name];
  const assigned = own ?? assignments.roles[role] ?? { connection: active.backend };
  const { connection, model, fallbacks } = assigned;
  const row = rowOf(inventory, connection);
  const its = role === "orchestrator" ? row?.orchestrator_model : row?.model;
  const why = own ? "" : assignments.roles[role] ? `as the role ${role}` : "in force";
  return { connection, model: model ?? its, fallbacks, why };
}
