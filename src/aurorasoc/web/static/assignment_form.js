// One role's or agent's assignment: to a connection, and to one of its models.

import { html, useState } from "./htm-preact-standalone.js";
import { useChange } from "./change.js";
import { Conflict } from "./conflict.js";
import { Fallbacks } from "./fallbacks.js";
import { useLeaving } from "./leaving.js";
import { ModelInput } from "./model_picker.js";
import { asSaved, useModels } from "./models.js";
import { say } from "./store.js";
import { Check, Field, Modal, ProblemNotice } from "./ui.js";
import { connectionName, rowOf } from "./words.js";

/** `who` is `{kind: "roles" | "agents", name}`; an empty name is typed. */
export function AssignmentForm({ who, inventory, onClose }) {
  const own = inventory.assignments[who.kind][who.name];
  const [name, setName] = useState(who.name);
  const [connection, setConnection] = useState(own?.connection ?? "");
  const [model, setModel] = useState(own?.model ?? "");
  const [fallbacks, setFallbacks] = useState(own?.fallbacks ?? null); // null: the policy's
  const change = useChange();
  const typed = [name, connection, model.trim(), fallbacks];
  const saved = [who.name, own?.connection ?? "", own?.model ?? "", own?.fallbacks ?? null];
  const dirty = JSON.stringify(typed) !== JSON.stringify(saved);
  const { close, question } = useLeaving(dirty, onClose);
  const row = rowOf(inventory, connection);
  const what = who.kind === "roles" ? "role" : "agent";

  async function save(event) {
    event.preventDefault();
    const its = connection ? { connection, model: model.trim() || null, fallbacks } : null;
    const body = { [who.kind]: { [name]: its } };
    if (!(await change.run((call) => call("PUT", "/system/llm/assignments", body)))) return;
    say(`The ${what} ${name} ${its ? `uses ${connection}` : "uses the connection in force"}.`);
    onClose();
  }
  const choose = (event) => {
    setConnection(event.target.value);
    setModel(""); // it was another connection's
  };
  return html`
    <${Modal} title=${who.name ? `Assign the ${what} ${who.name}` : "Assign an agent"} onClose=${close}>
      <form onSubmit=${save}>
        ${question}
        <${Conflict} change=${change} revision=${inventory.revision} />
        <${ProblemNotice} problem=${change.problem} />
        ${!who.name && html`<${AgentField} value=${name} onValue=${setName} />`}
        <${ConnectionField} ...${{ inventory, connection, what }} onChoose=${choose} />
        ${row && html`<${Model} ...${{ row, model }} onType=${setModel} />`}
        ${row && html`<${ItsFallbacks} ...${{ inventory, fallbacks }} onNames=${setFallbacks} />`}
        <div class="form-ways">
          <button class="primary" disabled=${change.busy || change.overtaken}>
            ${change.busy ? "Saving…" : "Save"}
          </button>
          <button type="button" class="quiet" onClick=${close}>Close</button>
        </div>
      </form>
    <//>
  `;
}

const AgentField = ({ value, onValue }) => html`
  <${Field} label="Agent" hint="Its name, as in get_chat_model(agent=…).">
    ${(ties) => html`
      <input
        ...${ties}
        type="text"
        pattern="[a-z][a-z0-9\\-]*"
        maxlength="64"
        required
        autocomplete="off"
        spellcheck=${false}
        value=${value}
        onInput=${(event) => onValue(event.target.value.toLowerCase())}
      />
    `}
  <//>
`;

function ConnectionField({ inventory, connection, what, onChoose }) {
  const none = what === "agent" ? "None: uses its role's, or the one in force" : "None: uses the one in force";
  const hint = "A label that may not go there goes to the policy's local backend, or nowhere.";
  const control = (ties) => html`
    <select ...${ties} value=${connection} onChange=${onChoose}>
      <option value="">${none}</option>
      ${inventory.providers.map(
        (row) => html`
          <option key=${row.connection} value=${row.connection}>
            ${connectionName(row.connection)}${row.ready ? "" : " (not ready)"}
          </option>
        `,
      )}
    </select>
  `;
  return html`<${Field} label="Connection" hint=${hint}>${control}<//>`;
}

/** The policy's fallbacks, or a list of one's own, which begins as the policy's. */
function ItsFallbacks({ inventory, fallbacks, onNames }) {
  const present = inventory.policy.fallbacks.filter((name) => rowOf(inventory, name));
  const own = (checked) => onNames(checked ? present : null);
  return html`
    <${Check} checked=${fallbacks !== null} onChange=${own}>
      Fallbacks of its own, instead of the policy's
    <//>
    ${fallbacks && html`<${Fallbacks} legend="Its fallbacks" names=${fallbacks} ...${{ inventory, onNames }} />`}
  `;
}

function Model({ row, model, onType }) {
  const { names, text, read } = useModels(asSaved(row));
  const hint = `Leave it empty for the connection's own. ${text}`;
  return html`<${ModelInput} label="Model" value=${model} ...${{ hint, names, onType }} onOpen=${read} />`;
}
