// A switch: what will change is said once before, and who has adopted it is shown after.

import { html, useEffect, useState } from "./htm-preact-standalone.js";
import { useChange } from "./change.js";
import { Conflict } from "./conflict.js";
import { consequences } from "./consequences.js";
import { Processes, summary } from "./fleet.js";
import { Icon } from "./icons.js";
import { say, useStore } from "./store.js";
import { Modal, Notice, ProblemNotice, TestFirst } from "./ui.js";
import { connectionName } from "./words.js";

/**
 * `wanted` is the body of the switch, and `base` the revision that it was thought up on. `onSwitched` is
 * called when it is made, and `onClose` told whether.
 */
export function Switch({ wanted, base, onSwitched, onClose }) {
  const { inventory } = useStore();
  const [before] = useState(inventory); // what is said stays what it was asked about
  const testable = wanted.provider !== "auto";
  const [verify, setVerify] = useState(testable);
  const [made, setMade] = useState(null);
  const change = useChange(base);
  const name = connectionName(wanted.provider);

  async function confirm() {
    const answer = await change.run((call) =>
      call("PUT", `/system/llm/config?verify=${verify}`, wanted),
    );
    if (!answer) return;
    setMade(answer);
    onSwitched?.();
  }
  if (made) return html`<${Adopting} made=${made} onClose=${() => onClose(true)} />`;
  const way = verify ? ["Test and switch", "Testing first…"] : ["Switch", "Switching…"];
  const blocked = change.busy || change.overtaken;
  const footer = html`
    <button type="button" class="primary" disabled=${blocked} onClick=${confirm}>
      ${way[Number(change.busy)]}
    </button>
    <button type="button" onClick=${() => onClose(false)}>Back</button>
  `;
  return html`
    <${Modal} title="Switch to ${name}?" onClose=${() => onClose(false)} footer=${footer}>
      <${ProblemNotice} problem=${change.problem} />
      <${Conflict} change=${change} revision=${inventory.revision} />
      <ul class="consequences">
        ${consequences(before, wanted).map(
          ({ icon, text }) => html`
            <li><${Icon} name=${icon} /> <span>${text}</span></li>
          `,
        )}
      </ul>
      ${testable && html`<${TestFirst} checked=${verify} onChange=${setVerify} name=${name} />`}
    <//>
  `;
}

/** The processes, as each of them adopts it. */
export function Adopting({ made, onClose }) {
  const { fleet } = useStore();
  const known = fleet && fleet.revision >= made.revision;
  const text = known ? summary(fleet, made.revision) : "Waiting for the processes to report…";
  const late = known ? fleet.instances.filter((one) => one.revision < made.revision) : [];
  const all = known && late.length === 0;
  useEffect(() => say(text), [text]);
  const footer = html`
    <button type="button" class="primary" onClick=${onClose}>Done</button>
  `;
  return html`
    <${Modal}
      title=${all ? "Every process has adopted it" : "The processes are adopting it"}
      onClose=${onClose}
      footer=${footer}
    >
      <${Notice} tone=${all ? "ok" : "wait"} title=${text}>
        ${all ? answersNow(made.active) : late.length > 0 && "The others still answer as before."}
      <//>
      ${known && html`<${Processes} fleet=${fleet} />`}
    <//>
  `;
}

const answersNow = ({ backend, requested, warnings }) => {
  const stop = warnings.find(({ code }) => code === "hosted_stopped");
  if (stop) return stop.detail;
  return (
    `${connectionName(backend ?? requested)} answers from now on; ` +
    `runs that had started finish where they started.`
  );
};
