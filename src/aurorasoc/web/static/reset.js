// Back to the boot defaults: what that changes of what is in force is shown before it is made.

import { html, useState } from "./htm-preact-standalone.js";
import { call } from "./api.js";
import { useChange } from "./change.js";
import { Conflict } from "./conflict.js";
import { useReading } from "./reading.js";
import { KeyLater, Planned } from "./rollback.js";
import { useStore } from "./store.js";
import { Adopting } from "./switch.js";
import { Modal, ProblemNotice, TestFirst } from "./ui.js";

export function Reset({ onClose }) {
  const { inventory } = useStore();
  const change = useChange();
  const { value, problem } = useReading(
    () => call("GET", "/system/llm/config/reset"),
    [change.base],
  );
  const plan = problem ? null : value; // compared with the revision that the dialog stands on
  const [verify, setVerify] = useState(true);
  const [made, setMade] = useState(null);
  const tests = verify && Boolean(plan?.testable);

  async function confirm() {
    const answer = await change.run((call) => call("DELETE", `/system/llm/config?verify=${tests}`));
    if (answer) setMade(answer);
  }
  if (made) return html`<${Adopting} made=${made} onClose=${onClose} />`;
  const way = tests ? ["Test and go back", "Testing first…"] : ["Go back", "Going back…"];
  const footer = html`
    <button
      type="button"
      class="primary"
      disabled=${!plan || change.busy || change.overtaken}
      onClick=${confirm}
    >
      ${way[Number(change.busy)]}
    </button>
    <button type="button" onClick=${onClose}>Back</button>
  `;
  return html`
    <${Modal} title="Go back to the boot defaults?" onClose=${onClose} footer=${footer}>
      <${ProblemNotice} problem=${change.problem ?? problem} />
      <${Conflict} change=${change} revision=${inventory.revision} />
      <p>
        The choice, models, base URLs and assignments that were set here are dropped; the environment's
        are in force again. Policy and connections that were added here stay.
      </p>
      ${plan
        ? html`
            <${Planned} plan=${plan} />
            ${plan.keys.map((key) => html`<${KeyLater} key=${key.connection} of=${key} />`)}
            ${plan.testable &&
            html`<${TestFirst} checked=${verify} onChange=${setVerify} name="each model that would answer" />`}
          `
        : !problem && html`<p class="empty">Comparing it with what is in force…</p>`}
    <//>
  `;
}
