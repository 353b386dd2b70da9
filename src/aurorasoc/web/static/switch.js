// A switch: what will change is said once before, and who has adopted it is shown after.

import { html, useEffect, useState } from "./htm-preact-standalone.js";
import { useChange } from "./change.js";
import { Conflict } from "./conflict.js";
import { consequences } from "./consequences.js";
import { Processes, summary } from "./fleet.js";
import { say, useStore } from "./store.js";
import { Modal, Notice, ProblemNotice } from "./ui.js";
import { Icon } from "./icons.js";
import { providerName } from "./words.js";

/**
 * `wanted` is the body of the switch; `reset` goes back to the boot defaults instead. `onClose` is
 * told whether it was made, and `onSwitched` is called when it is.
 */
export function Switch({ wanted, reset, base, onSwitched, onClose }) {
  const { inventory } = useStore();
  const [before] = useState(inventory); // what is said stays what it was asked about
  const [verify, setVerify] = useState(Boolean(wanted) && wanted.provider !== "auto");
  const [made, setMade] = useState(null);
  const change = useChange(base);
  const title = reset ? "Back to the boot defaults" : `Switch to ${providerName(wanted.provider)}`;
  const send = (call) =>
    reset ? call("DELETE", "/system/llm/config") : call("PUT", `/system/llm/config?verify=${verify}`, wanted);

  async function confirm() {
    const answer = await change.run(send);
    if (!answer) return;
    setMade(answer);
    onSwitched?.();
  }
  if (made) return html`<${Adopting} made=${made} onClose=${() => onClose(true)} />`;
  return html`
    <${Modal}
      title="${title}?"
      onClose=${() => onClose(false)}
      footer=${html`
        <button type="button" class="primary" disabled=${change.busy || change.overtaken} onClick=${confirm}>
          ${change.busy ? (verify ? "Testing, then switching…" : "Switching…") : verify ? "Test and switch" : "Switch"}
        </button>
        <button type="button" onClick=${() => onClose(false)}>Back</button>
      `}
    >
      <${ProblemNotice} problem=${change.problem} />
      <${Conflict} change=${change} revision=${inventory.revision} />
      <ul class="consequences">
        ${consequences(before, wanted, reset).map(({ icon, text }) => html`
          <li><${Icon} name=${icon} /> <span>${text}</span></li>
        `)}
      </ul>
      ${wanted && wanted.provider !== "auto" && html`
        <label class="check">
          <input type="checkbox" checked=${verify} onChange=${(event) => setVerify(event.target.checked)} />
          <span>Test first, and change nothing if that fails</span>
        </label>
      `}
    <//>
  `;
}

/** The processes, as each of them adopts it. */
function Adopting({ made, onClose }) {
  const { fleet } = useStore();
  const known = fleet && fleet.revision >= made.revision;
  const text = known ? summary(fleet, made.revision) : "Waiting for the processes to report…";
  const waiting = known ? fleet.instances.filter((one) => one.revision < made.revision) : [];
  const all = known && waiting.length === 0;
  useEffect(() => say(text), [text]);
  return html`
    <${Modal}
      title=${all ? "Every process has adopted it" : "The processes are adopting it"}
      onClose=${onClose}
      footer=${html`<button type="button" class="primary" onClick=${onClose}>Done</button>`}
    >
      <${Notice} tone=${all ? "ok" : "wait"} title=${text}>
        ${all
          ? `${providerName(made.active.backend ?? made.active.requested)} answers from now on; runs that had begun finish where they began.`
          : waiting.length > 0 && `Not yet: ${waiting.map((one) => one.name).join(", ")}.`}
      <//>
      ${known && html`<${Processes} fleet=${fleet} />`}
    <//>
  `;
}
