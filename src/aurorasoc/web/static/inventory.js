// All connections: what each still needs, where its values come from, and how calls went.

import { html, useState } from "./htm-preact-standalone.js";
import { Add } from "./add.js";
import { ceilingWords } from "./ceiling.js";
import { ConnectionForm } from "./connection_form.js";
import { Health } from "./health.js";
import { may } from "./store.js";
import { Switch } from "./switch.js";
import { KeyLife, Leaves, Mark, Problems, Source, When } from "./ui.js";
import { abilities, connectionName, facts, isBuiltIn, kindName, takesKey } from "./words.js";

const COLUMNS = ["Connection", "State", "Models", "Data", "Key", "Last calls"];

export function Inventory({ inventory }) {
  const [opened, setOpened] = useState(null); // {what: "form" | "switch" | "add", name, isNew}
  const { what, name, isNew } = opened ?? {};
  const close = () => setOpened(null);
  const added = (of) => setOpened({ what: "form", name: of, isNew: true });
  return html`
    <section class="panel" aria-labelledby="connections-title">
      <div class="panel-head">
        <h2 id="connections-title">Connections</h2>
        ${may("users:manage") &&
        html`<button type="button" class="quiet" onClick=${() => setOpened({ what: "add" })}>
          Add a connection…
        </button>`}
      </div>
      <table role="table">
        <thead role="rowgroup">
          <tr role="row">
            ${COLUMNS.map((title) => html`<th role="columnheader" scope="col">${title}</th>`)}
            ${may("users:manage") &&
            html`<th role="columnheader" scope="col"><span class="unseen">Actions</span></th>`}
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${inventory.providers.map(
            (row) => html`
              <${Row} key=${row.connection} ...${{ row, policy: inventory.policy }} onOpen=${setOpened} />
            `,
          )}
        </tbody>
      </table>
      ${what === "add" && html`<${Add} onAdded=${added} onClose=${close} />`}
      ${what === "form" &&
      html`<${ConnectionForm} key=${name} ...${{ name, isNew }} onClose=${close} />`}
      ${what === "switch" && html`<${Switch} wanted=${{ provider: name }} onClose=${close} />`}
    </section>
  `;
}

const Row = ({ row, policy, onOpen }) => html`
  <tr role="row" class=${row.active ? "in-force" : ""}>
    <th role="rowheader" scope="row"><${Name} row=${row} /></th>
    <td role="cell" data-label="State"><${State} row=${row} /></td>
    <td role="cell" data-label="Models"><${Models} row=${row} /></td>
    <td role="cell" data-label="Data">
      <${Leaves} row=${row} />
      <span class="value facts">${ceilingWords(row, policy)}</span>
    </td>
    <td role="cell" data-label="Key"><${Key} row=${row} /></td>
    <td role="cell" data-label="Last calls"><${LastCalls} row=${row} /></td>
    ${may("users:manage") &&
    html`<td role="cell" class="actions"><${Actions} row=${row} onOpen=${onOpen} /></td>`}
  </tr>
`;

const Name = ({ row }) => html`
  <span class="name">${connectionName(row.connection)}</span>
  ${row.active && html` <span class="badge">in force</span>`}
  ${!isBuiltIn(row) && html` <${Source} of=${row.source} />`}
  <span class="best-for">${isBuiltIn(row) ? row.best_for : kindName(row.provider)}</span>
`;

function Actions({ row: { connection, ready, active }, onOpen }) {
  const name = connectionName(connection);
  const open = (what) => () => onOpen({ what, name: connection });
  return html`
    <button type="button" aria-label="Configure ${name}" onClick=${open("form")}>
      Configure…
    </button>
    ${ready &&
    !active &&
    html`<button type="button" aria-label="Switch to ${name}" onClick=${open("switch")}>
      Switch…
    </button>`}
  `;
}

const State = ({ row }) => html`
  ${row.ready && html`<${Health} of=${row.health} />`}
  <${Problems} problems=${[...row.problems, ...row.warnings]} />
`;

const Models = ({ row }) => html`
  <span class="value">
    <code>${row.model ?? "none"}</code> <${Source} of=${row.sources.model} />
  </span>
  <${Facts} of=${row.model_facts} />
  ${row.orchestrator_model !== row.model &&
  html`
    <span class="value">
      <span class="unseen">orchestrator: </span>
      <code>${row.orchestrator_model}</code> <${Source} of=${row.sources.orchestrator_model} />
    </span>
    <${Facts} of=${row.orchestrator_model_facts} />
  `}
  <span class="value address">
    ${row.base_url} <${Source} of=${row.base_url && row.sources.base_url} />
  </span>
  ${row.capabilities && html`<span class="dim">${abilities(row.capabilities)}</span>`}
`;

const Facts = ({ of }) => {
  const words = facts(of);
  return words && html`<span class="value facts">${words}</span>`;
};

const KEY_STATES = {
  needs_reentry: ["warn", "enter it again"],
  unavailable: ["wait", "store doesn't answer"],
};

function Key({ row }) {
  if (!takesKey(row)) return html`<span class="dim">takes none</span>`;
  if (!row.key_present) return html`<${NoKey} needed=${row.needs_key} />`;
  const [tone, word] = KEY_STATES[row.key_state] ?? [];
  return html`
    <span class="value">
      <span class="unseen">${row.key_last4 ? "ends in" : "stored"} </span>
      <code>${["••••", row.key_last4].filter(Boolean).join(" ")}</code>
      ${" "}<${Source} of=${row.key_source} />
    </span>
    <${KeyLife} row=${row} />
    ${tone && html`<${Mark} tone=${tone}>${word}<//>`}
  `;
}

const NoKey = ({ needed }) =>
  needed ? html`<${Mark} tone="off">none<//>` : html`<span class="dim">none, optional</span>`;

function LastCalls({ row: { last_ok_at: ok, last_error: error, health, refusals } }) {
  if (!ok && !error) return html`<span class="dim">none yet</span>`;
  const tone = health.state === "ok" ? "ok" : "wait"; // an answer of the past is no state
  return html`
    ${ok &&
    html`<span class="value"><${Mark} tone=${tone}>answered <${When} at=${ok} /><//></span>`}
    ${error &&
    html`
      <span class="value" title=${error.detail}>
        <${Mark} tone="bad">
          ${error.code.replaceAll("_", " ")} ${error.at && html`<${When} at=${error.at} />`}
        <//>
      </span>
    `}
    <${Declined} of=${refusals} />
  `;
}

/** How often its models declined, once one has: a SOC asks who answers its malware case. */
const Declined = ({ of: { refused, blocked, calls, since } }) =>
  refused + blocked > 0 &&
  html`<span class="value facts">
    declined ${refused + blocked} of ${calls} calls since <${When} at=${since} />
  </span>`;
