// A rollback: what it changes of what is in force is shown before, and who has adopted it after.

import { html, useState } from "./htm-preact-standalone.js";
import { call } from "./api.js";
import { useChange } from "./change.js";
import { Conflict, Differences } from "./conflict.js";
import { Icon } from "./icons.js";
import { useLeaving } from "./leaving.js";
import { useReading } from "./reading.js";
import { useStore } from "./store.js";
import { Adopting } from "./switch.js";
import { Modal, Notice, ProblemNotice, SecretField, TestFirst } from "./ui.js";
import { connectionName, list } from "./words.js";

export function Rollback({ to, onClose }) {
  const { inventory } = useStore();
  const change = useChange();
  const { value, problem } = useReading(
    () => call("GET", `/system/llm/history/${to}/rollback`),
    [to, change.base],
  );
  const plan = problem ? null : value; // compared with the revision that the dialog stands on
  const [verify, setVerify] = useState(true);
  const [key, setKey] = useState("");
  const [made, setMade] = useState(null);
  const { close, question } = useLeaving(!made && key.trim() !== "", onClose);
  const needed = plan ? plan.keys.filter((one) => one.in_use) : [];

  async function confirm() {
    const query = `verify=${verify && plan.testable}`;
    const body = { revision: to };
    if (needed.length) body.key = { connection: needed[0].connection, api_key: key.trim() };
    const answer = await change.run((call) => call("POST", `/system/llm/rollback?${query}`, body));
    if (answer) setMade(answer);
  }
  if (made) return html`<${Adopting} made=${made} onClose=${onClose} />`;
  const missing = needed.length > 1 || (needed.length === 1 && !key.trim());
  const way = verify && plan?.testable ? ["Test and roll back", "Testing first…"] : WAY;
  const footer = html`
    <button
      type="button"
      class="primary"
      disabled=${!plan || missing || change.busy || change.overtaken}
      onClick=${confirm}
    >
      ${way[Number(change.busy)]}
    </button>
    <button type="button" onClick=${close}>Back</button>
  `;
  return html`
    <${Modal} title="Roll back to revision ${to}?" onClose=${close} footer=${footer}>
      ${question}
      <${ProblemNotice} problem=${change.problem ?? problem} />
      <${Conflict} change=${change} revision=${inventory.revision} />
      ${plan
        ? html`
            <${Planned} plan=${plan} others=${needed.length > 0} />
            <${Keys} keys=${plan.keys} needed=${needed} value=${key} onValue=${setKey} />
            ${plan.testable &&
            html`<${TestFirst} checked=${verify} onChange=${setVerify} name="each model that would answer" />`}
          `
        : !problem && html`<p class="empty">Comparing it with what is in force…</p>`}
    <//>
  `;
}

const WAY = ["Roll back", "Rolling back…"];

/** What is in force now and then, and what that lets data do; `others` tells that a key comes with it. */
export function Planned({ plan: { changes, widens }, others }) {
  if (changes.length === 0) return html`<p>Nothing that is in force changes.</p>`;
  return html`
    <p>In force now, and then:</p>
    <${Differences} changes=${changes} nothing="none" />
    <ul class="consequences">
      ${widens.map((text) => html`<li key=${text}><${Icon} name="warn" /> <span>${text}</span></li>`)}
      <li><${Icon} name="key" /> <span>${others ? "Other keys" : "Keys"} stay as they are.</span></li>
    </ul>
  `;
}

/** The key that the rollback needs, and those that can be entered later. */
function Keys({ keys, needed, value, onValue }) {
  const [one] = needed;
  const later = keys.filter((key) => !key.in_use);
  return html`
    ${needed.length > 1 &&
    html`
      <${Notice} tone="warn" title="More than one connection needs another key">
        ${list(needed.map(({ connection }) => connectionName(connection)))}: a rollback takes one. Give
        the others their earlier address and its key first.
      <//>
    `}
    ${needed.length === 1 &&
    html`
      <${SecretField}
        label="Key of ${connectionName(one.connection)} for ${one.origin}"
        hint=${whyOf(one)}
        tone="warn"
        value=${value}
        onValue=${onValue}
        required
      />
    `}
    ${later.map((key) => html`<${KeyLater} key=${key.connection} of=${key} />`)}
  `;
}

/** A key that isn't asked for here. */
export const KeyLater = ({ of: key }) => html`
  <p class="hint">
    ${connectionName(key.connection)} will need a key for ${key.origin}. ${whyOf(key)}${" "}
    ${key.in_use ? "It can't take calls before." : "Nobody uses it: the key can be entered later."}
  </p>
`;

const whyOf = ({ belongs_to: origin }) =>
  origin ? `Its present key belongs to ${origin}, and isn't sent elsewhere.` : "It has no key.";
