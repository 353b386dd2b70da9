// The page: what is in force, the processes that run it, the providers, policy and record.

import { html, render, useEffect, useRef, useState } from "./htm-preact-standalone.js";
import { HOST_SIGNS_IN } from "./api.js";
import { Active } from "./active.js";
import { Assignments } from "./assignments.js";
import { Audit } from "./audit.js";
import { Fleet } from "./fleet.js";
import { History } from "./history.js";
import { StopButton, StopDialog, StoppedBanner } from "./hosted_stop.js";
import { Inventory } from "./inventory.js";
import { Labels } from "./labels.js";
import { Policy } from "./policy.js";
import { SignIn, SignInAgain, UnusedLink } from "./sign_in.js";
import { Spending } from "./spending.js";
import { may, signOut, useStore } from "./store.js";
import { Notice, ProblemNotice, When } from "./ui.js";

function Page() {
  const { phase, expired, said } = useStore();
  return html`
    ${phase === "signed-out" ? html`<${SignIn} />` : html`<${Settings} />`}
    ${expired && html`<${SignInAgain} />`}
    <p class="unseen" role="status">${said}</p>
  `;
}

function Settings() {
  const { inventory, problem } = useStore();
  const [stopping, setStopping] = useState(false);
  const main = useRef(null);
  useEffect(() => main.current.focus({ preventScroll: true }), []);
  return html`
    <${Top} onStop=${() => setStopping(true)} />
    <main ref=${main} tabindex="-1" aria-label="Language models">
      <${UnusedLink} />
      <${Warnings} />
      ${inventory
        ? html`<${Parts} inventory=${inventory} />`
        : !problem && html`<p class="empty">Reading the configuration…</p>`}
      ${stopping &&
      html`<${StopDialog} inventory=${inventory} onClose=${() => setStopping(false)} />`}
    </main>
  `;
}

const Parts = ({ inventory }) => html`
  <div class="split">
    <${Active} inventory=${inventory} />
    <${Fleet} />
  </div>
  <${Inventory} inventory=${inventory} />
  <${Assignments} inventory=${inventory} />
  <${Policy} inventory=${inventory} />
  <${Labels} inventory=${inventory} />
  <${Spending} inventory=${inventory} />
  <div class="split">
    <${History} inventory=${inventory} />
    ${may("audit:read") && html`<${Audit} inventory=${inventory} />`}
  </div>
`;

function Top({ onStop }) {
  const { caller, inventory } = useStore();
  return html`
    <header class="top">
      <h1><span class="brand">aurorasoc</span> Language models</h1>
      <span class="caller">
        <span class="name">${caller.subject}</span>
        ${!may("users:manage") && html`<span class="source">read only</span>`}
      </span>
      <${StopButton} inventory=${inventory} onOpen=${onStop} />
      ${!HOST_SIGNS_IN && html`<button type="button" onClick=${signOut}>Sign out</button>`}
    </header>
  `;
}

/** What concerns everything below. */
function Warnings() {
  const { problem, inventory, inventoryAt } = useStore();
  if (!inventory) return html`<${ProblemNotice} problem=${problem} />`;
  const { secret_store: store } = inventory;
  return html`
    <${StoppedBanner} stop=${inventory.hosted_traffic} />
    ${problem && html`<${Cut} at=${inventoryAt} />`}
    ${inventory.stale_since && html`<${Stale} since=${inventory.stale_since} />`}
    ${store.state !== "ok" && html`<${StoreDown} store=${store} />`}
    ${store.problem === "token_ending" && html`<${TokenEnding} />`}
  `;
}

/** The connection is gone, and something was read before. */
const Cut = ({ at }) => html`
  <${Notice} tone="bad" title="No connection to the service" alert>
    What you see is as of ${at.toLocaleTimeString()}. The page tries again by itself.
  <//>
`;

const Stale = ({ since }) => html`
  <${Notice} tone="warn" title="The database doesn't answer">
    Models keep running on the configuration read <${When} at=${since} />. Changes are refused until
    it answers.
  <//>
`;

const StoreDown = ({ store }) => html`
  <${Notice} tone="warn" title="The secret store doesn't answer">
    ${store.state === "stale" ? "Keys in memory are still used." : "Keys can't be read."}
    ${store.problem && ` Vault: ${store.problem}.`}
  <//>
`;

const TokenEnding = () => html`
  <${Notice} tone="warn" title="Vault's token runs out soon">
    It can't be renewed any more. Set another VAULT_TOKEN and restart.
  <//>
`;

render(html`<${Page} />`, document.getElementById("page"));
