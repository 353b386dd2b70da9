// Clients and failures: read when shown, each minute while seen.

import { html } from "./htm-preact-standalone.js";
import { call } from "./api.js";
import { Clients } from "./clients.js";
import { Failures } from "./failures.js";
import { useMinutes, useReading } from "./reading.js";
import { may } from "./store.js";

const NOBODY = { clients: [] };

export function Spending({ inventory }) {
  const { minute } = useMinutes();
  const clients = useReading(readClients, [inventory.revision, minute]);
  return html`
    ${may("users:manage") && html`<${Clients} ...${{ inventory, clients }} />`}
    <${Failures} inventory=${inventory} />
  `;
}

/** Whoever may not manage them doesn't ask for them. */
const readClients = async () => (may("users:manage") ? call("GET", "/clients") : NOBODY);
