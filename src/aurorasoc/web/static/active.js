// What is in force, what it still needs, and the two ways back.

import { html, useState } from "./htm-preact-standalone.js";
import { reachNow } from "./ceiling.js";
import { Health } from "./health.js";
import { Reset } from "./reset.js";
import { may } from "./store.js";
import { Switch } from "./switch.js";
import { Leaves, Mark, Problems, Source } from "./ui.js";
import { connectionName, isBuiltIn, kindName } from "./words.js";

const CHOSEN = {
  runtime: "Chosen here",
  env: "Chosen by the environment",
  default: "The built-in choice",
};

export function Active({ inventory }) {
  const { active, providers, revision } = inventory;
  const row = providers.find((provider) => provider.active);
  return html`
    <section class="panel active" aria-labelledby="active-title">
      <p class="eyebrow">In force · revision ${revision}</p>
      <h2 id="active-title">
        ${active.backend ? connectionName(active.backend) : "No backend"}
        ${active.ready && row
          ? html`<${Health} of=${row.health} />`
          : html`<${Mark} tone="bad">not ready<//>`}
      </h2>
      <p class="chosen">
        ${CHOSEN[active.source]}
        ${active.requested === "auto" && ": automatic, vLLM if it answers, else Ollama"}
        ${row && !isBuiltIn(row) && `, a connection to ${kindName(row.provider)}`}
      </p>
      ${row && html`<${Values} row=${row} />`}
      <${Problems} problems=${[...active.problems, ...active.warnings]} />
      ${row && html`<p class="where"><${Leaves} row=${row} /> ${reachNow(row, inventory)}</p>`}
      ${may("users:manage") && html`<${Ways} requested=${active.requested} />`}
    </section>
  `;
}

const Values = ({ row }) => html`
  <dl class="values">
    <${Value} name="Specialist" value=${row.model} source=${row.sources.model} />
    <${Value}
      name="Orchestrator"
      value=${row.orchestrator_model}
      source=${row.sources.orchestrator_model}
    />
    <${Value} name="Address" value=${row.base_url} source=${row.sources.base_url} />
  </dl>
`;

const Value = ({ name, value, source }) => html`
  <div>
    <dt>${name}</dt>
    <dd><code>${value ?? "none"}</code> <${Source} of=${source} /></dd>
  </div>
`;

const AUTOMATIC = { provider: "auto" };

/** To `auto`, and to the boot defaults. */
function Ways({ requested }) {
  const [way, setWay] = useState(null); // automatic | reset
  const close = () => setWay(null);
  return html`
    <p class="ways">
      ${requested !== "auto" &&
      html`<button type="button" onClick=${() => setWay("automatic")}>Choose automatically…</button>`}
      <button type="button" onClick=${() => setWay("reset")}>Back to boot defaults…</button>
    </p>
    ${way === "automatic" && html`<${Switch} wanted=${AUTOMATIC} onClose=${close} />`}
    ${way === "reset" && html`<${Reset} onClose=${close} />`}
  `;
}
