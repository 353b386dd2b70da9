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
  const [tone, word] = stateOf(process);
  return html`
    <li>
      <span class="process-name">
        <strong>${process.kind === "api" ? "API" : process.name}</strong>
        ${process.kind !== "api" && html`<span class="source">${process.kind}</span>`}
        <span class="host">${process.host} · ${process.instance}</span>
      </span>
      <${Mark} tone=${tone}>${word}<//>
      <span class="process-runs">
        ${
          process.adopted_at
            ? html`revision ${process.revision}: <${Runs} of=${process} />, adopted${" "}
                <${When} at=${process.adopted_at} />`
            : "nothing adopted yet"
        }
        ${process.state === "diverged" && `. Same revision, other configuration: ${differs(process)}`}
      </span>
      ${process.hosted_stopped &&
      html`<span class="process-runs">
        calls no hosted provider${process.last_hosted_at &&
        html`; last byte <${When} at=${process.last_hosted_at} />`}
      </span>`}
      ${process.hindrances.map(
        ({ connection, code, detail }) => html`
          <span class="process-runs" key=${`${connection} ${code}`}>
            <${Mark} tone="bad">
              ${connection && html`<strong>${connectionName(connection)}</strong>: `}${detail}
            <//>
          </span>
        `,
      )}
      ${process.not_asked.length > 0 &&
      html`<span class="process-runs">
        <${Mark} tone="warn">
          doesn't ask for a while: ${process.not_asked.map(connectionName).join(", ")}
        <//>
      </span>`}
    </li>
  `;
}

/** A process that runs the revision, and can't call what it names, isn't fine. */
function stateOf({ state, hindrances }) {
  if (state === "current" && hindrances.length > 0) return ["bad", "can't call"];
  return STATES[state] ?? ["off", state];
}

/** What differs from the process that answers this page, by its variable where it has one. */
function differs({ differences }) {
  if (differences.length === 0) return "compare its environment.";
  return `it has another ${differences.map((one) => one.variable ?? one.setting).join(", ")}.`;
}

/** `auto` finds a backend with the first call. */
const Runs = ({ of: { backend, model } }) =>
  backend ? html`${connectionName(backend)} <code>${model}</code>` : "automatic, none called yet";

/** "2 of 3 processes run revision 8. Can't call a connection in use: 1." */
export function summary(fleet, revision) {
  const count = (is) => fleet.instances.filter(is).length;
  const diverged = count((one) => one.state === "diverged");
  const hindered = count((one) => one.hindrances.length > 0);
  return [
    adopted(count((one) => one.adopted_at && one.revision >= revision), fleet, revision),
    diverged > 0 && `With another configuration: ${diverged}.`,
    hindered > 0 && `Can't call a connection in use: ${hindered}.`,
  ]
    .filter(Boolean)
    .join(" ");
}

function adopted(there, { instances }, revision) {
  const all = instances.length;
  if (there < all) return `${there} of ${all} processes run revision ${revision}.`;
  return all === 1
    ? `The only process runs revision ${revision}.`
    : `All ${all} processes run revision ${revision}.`;
}
