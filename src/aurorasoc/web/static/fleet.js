// The processes, and which revision each of them runs.

import { html } from "./htm-preact-standalone.js";
import { useStore } from "./store.js";
import { Mark, When } from "./ui.js";
import { connectionName } from "./words.js";

const STATES = {
  current: ["ok", "runs it"],
  behind: ["wait", "not yet"],
  diverged: ["bad", "runs something else"],
};

export function Fleet() {
  const { fleet, fleetState } = useStore();
  const live = fleetState === "live";
  return html`
    <section class="panel" aria-labelledby="fleet-title">
      <div class="panel-head">
        <h2 id="fleet-title">Processes</h2>
        <${Mark} tone=${live ? "ok" : "wait"}>${live ? "live" : "connecting"}<//>
      </div>
      ${fleet
        ? html`
            <p class="lead">${summary(fleet, fleet.revision)}</p>
            <${Processes} fleet=${fleet} />
          `
        : html`<p class="empty">No process has reported yet.</p>`}
    </section>
  `;
}

/** Who runs a revision, and who doesn't yet. */
export const Processes = ({ fleet }) => html`
  <ul class="processes">
    ${fleet.instances.map((one) => html`<${Process} key=${one.instance} of=${one} />`)}
  </ul>
`;

function Process({ of: process }) {
  const [tone, word] = STATES[process.state] ?? ["off", process.state];
  return html`
    <li>
      <span class="process-name">
        <strong>${process.kind === "api" ? "API" : process.name}</strong>
        ${process.kind !== "api" && html`<span class="source">${process.kind}</span>`}
        <span class="host">${process.host} · ${process.instance}</span>
      </span>
      <${Mark} tone=${tone}>${word}<//>
      <span class="process-runs">
        revision ${process.revision}: <${Runs} of=${process} />, adopted${" "}
        <${When} at=${process.adopted_at} />
        ${process.state === "diverged" &&
        ". Same revision, other configuration: compare its environment."}
      </span>
    </li>
  `;
}

/** `auto` finds a backend with the first call. */
const Runs = ({ of: { backend, model } }) =>
  backend ? html`${connectionName(backend)} <code>${model}</code>` : "automatic, none called yet";

/** "2 of 3 processes run revision 8." */
export function summary(fleet, revision) {
  const all = fleet.instances.length;
  const there = fleet.instances.filter((one) => one.revision >= revision).length;
  if (there < all) return `${there} of ${all} processes run revision ${revision}.`;
  return all === 1
    ? `The only process runs revision ${revision}.`
    : `All ${all} processes run revision ${revision}.`;
}
