// Usage, budgets, clients and failures: read when shown, each minute while seen, and on demand.

import { html } from "./htm-preact-standalone.js";
import { call } from "./api.js";
import { Budgets } from "./budgets.js";
import { Clients } from "./clients.js";
import { Failures } from "./failures.js";
import { useMinutes, useReading } from "./reading.js";
import { may } from "./store.js";
import { Usage } from "./usage.js";

const NOBODY = { clients: [] };

export function Spending({ inventory }) {
  const { minute, now } = useMinutes();
  const reasons = [inventory.revision, minute];
  const budgets = useReading(() => call("GET", "/system/llm/budgets"), reasons);
  const clients = useReading(readClients, reasons);
  return html`
    <${Usage} ...${{ minute, now }} />
    <${Budgets} ...${{ inventory, budgets, clients }} />
    ${may("users:manage") && html`<${Clients} ...${{ inventory, clients }} />`}
    <${Failures} inventory=${inventory} />
  `;
}

/** Whoever may not manage them doesn't ask for them. */
const readClients = async () => (may("users:manage") ? call("GET", "/clients") : NOBODY);
