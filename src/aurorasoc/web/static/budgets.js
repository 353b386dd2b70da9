// Budgets: what may be spent, what was spent, and when that begins anew.

import { html, useState } from "./htm-preact-standalone.js";
import { BudgetForm } from "./budget_form.js";
import { actWords, AMOUNTS, keyOf, limited, PERIODS, scopeWords } from "./budget_words.js";
import { useKnown } from "./known.js";
import { may } from "./store.js";
import { Mark, ProblemNotice } from "./ui.js";

/** `budgets` and `clients` are what `useReading` returned. */
export function Budgets({ inventory, budgets, clients }) {
  const [open, setOpen] = useState(false);
  const { agents } = useKnown();
  const limits = budgets.value?.limits;
  const names = {
    connection: inventory.providers.map((row) => row.connection),
    agent: [...new Set([...agents.map((agent) => agent.name), ...Object.keys(inventory.assignments.agents)])],
    client: (clients.value?.clients ?? []).map((client) => client.name),
  };
  return html`
    <section class="panel" aria-labelledby="budgets-title">
      <div class="panel-head">
        <h2 id="budgets-title">Budgets</h2>
        ${limits &&
        may("users:manage") &&
        html`<button type="button" class="quiet" onClick=${() => setOpen(true)}>Change budgets…</button>`}
      </div>
      <${ProblemNotice} problem=${budgets.problem} />
      ${limits?.length === 0 && html`<p class="empty">No limits: anybody may spend anything.</p>`}
      ${limits?.length > 0 && html`<${LimitTable} limits=${limits} />`}
      ${open &&
      html`
        <${BudgetForm}
          ...${{ stored: asSet(budgets.value), names, revision: inventory.revision }}
          onClose=${() => setOpen(false)}
        />
      `}
    </section>
  `;
}

/** What was set, without what clients were made with: that can't be changed. */
const asSet = ({ revision, limits }) => ({ revision, limits: limits.filter(isSet) });
const isSet = (limit) => limit.source === "set";

const LimitTable = ({ limits }) => html`
  <table role="table" class="usage-table">
    <thead role="rowgroup">
      <tr role="row">
        ${["Whom", "Limit", "Spent", "Left", "Begins anew", "State"].map(
          (words) => html`<th role="columnheader" scope="col" key=${words}>${words}</th>`,
        )}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${limits.flatMap((limit) =>
        limited(limit).map(
          (name) => html`<${Row} key="${limit.source} ${keyOf(limit)} ${name}" ...${{ limit, name }} />`,
        ),
      )}
    </tbody>
  </table>
`;

function Row({ limit, name }) {
  const { write } = AMOUNTS[name];
  const spent = limit.spent?.[name] ?? null;
  const remaining = limit.remaining?.[name] ?? null;
  const isUsedUp = remaining !== null && remaining <= 0;
  const reserved = limit.reserved?.[name] ?? 0;
  return html`
    <tr role="row">
      <th role="rowheader" scope="row"><span class="name">${scopeWords(limit.scope)}</span></th>
      <td role="cell" data-label="Limit">
        <span>${write(limit[name])} ${PERIODS[limit.per]}<span class="value facts">
          ${actWords(limit)}${isSet(limit) ? "" : "; the client was made with it"}
        </span></span>
      </td>
      <td role="cell" data-label="Spent">
        <span>${spent === null ? html`<span class="dim">not counted</span>` : write(spent)}</span>
        ${spent !== null && html`<${Gauge} part=${spent / limit[name]} />`}
      </td>
      <td role="cell" data-label="Left">
        <span>
          ${remaining === null ? html`<span class="dim">not counted</span>` : write(remaining)}
          ${reserved > 0 && html`<span class="value facts">${write(reserved)} held for calls under way</span>`}
        </span>
      </td>
      <td role="cell" data-label="Begins anew"><span><${Reset} at=${limit.resets_at} /></span></td>
      <td role="cell" data-label="State"><${State} ...${{ limit, isUsedUp }} /></td>
    </tr>
  `;
}

/** The part that is spent; the numbers stand beside it. */
const Gauge = ({ part }) => html`
  <svg class="gauge" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">
    <rect class="frame" x="0" y="0" width="100" height="10" />
    <rect class="spent" x="0" y="0" width=${100 * Math.min(1, Math.max(0, part))} height="10" />
  </svg>
`;

function Reset({ at }) {
  if (!at) return null;
  const moment = new Date(at);
  return html`<time datetime=${at}>${moment.toLocaleString()}</time>`;
}

function State({ limit, isUsedUp }) {
  if (!isUsedUp) return html`<${Mark} tone="ok">within it<//>`;
  return limit.hard
    ? html`<${Mark} tone="bad">used up: calls are refused<//>`
    : html`<${Mark} tone="warn">used up: calls go on<//>`;
}
