// What is in force, what it still needs, and the two ways back.

import { html, useState } from "./htm-preact-standalone.js";
import { may } from "./store.js";
import { Switch } from "./switch.js";
import { Leaves, Mark, Source } from "./ui.js";
import { allowed, LABELS, list, providerName } from "./words.js";

const CHOSEN = {
  runtime: "Chosen here",
  env: "Chosen by the environment",
  default: "The built-in choice",
};

export function Active({ inventory }) {
  const { active, providers } = inventory;
  const row = providers.find((provider) => provider.active);
  return html`
    <section class="panel active" aria-labelledby="active-title">
      <p class="eyebrow">In force · revision ${inventory.revision}</p>
      <h2 id="active-title">
        ${active.backend ? providerName(active.backend) : "No backend"}
        ${active.ready ? html`<${Mark} tone="ok">ready<//>` : html`<${Mark} tone="bad">not ready<//>`}
      </h2>
      <p class="chosen">
        ${CHOSEN[active.source]}${active.requested === "auto" && ": automatic, vLLM if it answers, else Ollama"}
      </p>
      ${row && html`<${Values} row=${row} />`}
      <${Problems} problems=${active.problems} />
      ${row && html`
        <p class="where"><${Leaves} row=${row} /> <span>${labelsOf(row, inventory.policy)}</span></p>
      `}
      ${may("users:manage") && html`<${Ways} inventory=${inventory} />`}
    </section>
  `;
}

function Values({ row }) {
  const values = [
    ["Specialist", row.model, row.sources.model],
    ["Orchestrator", row.orchestrator_model, row.sources.orchestrator_model],
    ["Address", row.base_url, row.sources.base_url],
  ];
  return html`
    <dl class="values">
      ${values.map(([name, value, source]) => html`
        <div><dt>${name}</dt><dd><code>${value ?? "none"}</code> <${Source} of=${source} /></dd></div>
      `)}
    </dl>
  `;
}

/** What stands in the way, and what to do about each. */
export const Problems = ({ problems }) =>
  problems.length > 0 && html`
    <ul class="problems">
      ${problems.map(({ code, detail }) => html`<li key=${code}><${Mark} tone="warn">${detail}<//></li>`)}
    </ul>
  `;

function labelsOf(row, policy) {
  if (!row.data_leaves_host) return "Data with any label may be asked about here.";
  const may = allowed(policy.hosted_max_tlp);
  if (may.length === LABELS.length) return "Data with any label may go there.";
  return may.length
    ? `Data labelled ${list(may)} may go there; what is labelled higher may not.`
    : "No labelled data may go there.";
}

/** To `auto`, and to the boot defaults. */
function Ways({ inventory }) {
  const [way, setWay] = useState(null);
  const close = () => setWay(null);
  return html`
    <p class="ways">
      ${inventory.active.requested !== "auto" && html`
        <button type="button" onClick=${() => setWay("auto")}>Choose automatically…</button>
      `}
      <button type="button" onClick=${() => setWay("reset")}>Back to boot defaults…</button>
    </p>
    ${way === "auto" && html`<${Switch} wanted=${{ provider: "auto" }} onClose=${close} />`}
    ${way === "reset" && html`<${Switch} reset onClose=${close} />`}
  `;
}
