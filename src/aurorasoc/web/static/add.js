// "Add a connection": to a known service, or to a provider at an address of one's own.

import { html, useState } from "./htm-preact-standalone.js";
import { useAddress } from "./address.js";
import { Asking } from "./asking.js";
import { CeilingField } from "./ceiling.js";
import { useChange } from "./change.js";
import { Conflict } from "./conflict.js";
import { freeName, placeholdersOf, useKnown } from "./known.js";
import { Leaving } from "./leaving.js";
import { ModelInput } from "./model_picker.js";
import { useModels } from "./models.js";
import { asSent, Options } from "./options.js";
import { addressOf, ServiceAddress } from "./service_address.js";
import { ServiceField, ServiceNote } from "./services.js";
import { useStore } from "./store.js";
import { Field, Modal, ProblemNotice, SecretField } from "./ui.js";
import { useUnsaved } from "./unsaved.js";
import { mayBeLocal, rowOf } from "./words.js";

const EMPTY = { name: "", values: {}, address: "", model: "", key: "", ceiling: "", options: {} };

export function Add({ onAdded, onClose }) {
  const { inventory } = useStore();
  const { services } = useKnown();
  const change = useChange();
  const [service, setService] = useState(null); // a known one, or {provider, name}
  const [draft, setDraft] = useState(EMPTY);
  const [step, setStep] = useState("typing"); // typing | leaving | asking
  const set = (name) => (value) => setDraft({ ...draft, [name]: value });
  const close = () => (service && step !== "leaving" ? setStep("leaving") : onClose());
  useUnsaved(service !== null);
  const taken = rowOf(inventory, draft.name) !== undefined;

  function choose(chosen) {
    const names = inventory.providers.map((row) => row.connection);
    const open = chosen.base_url && placeholdersOf(chosen.base_url).length === 0;
    setService(chosen);
    setDraft({ ...EMPTY, name: freeName(chosen.name, names), address: open ? chosen.base_url : "" });
  }
  function submit(event) {
    event.preventDefault();
    if (draft.ceiling) setStep("asking"); // it says where data may go
    else add();
  }
  async function add() {
    const path = `/system/llm/connections/${draft.name}`;
    const answer = await change.run((call) => call("PUT", path, bodyOf(service, draft)));
    if (answer) onAdded(draft.name);
  }
  if (step === "asking") {
    const added = { provider: service.provider, max_tlp: draft.ceiling };
    return html`
      <${Asking}
        title="Add ${draft.name} with a ceiling of its own?"
        planned=${{ connections: { [draft.name]: added } }}
        ...${{ change, verb: ["Add", "Adding…"], onConfirm: add }}
        onClose=${() => setStep("typing")}
      />
    `;
  }
  return html`
    <${Modal} title="Add a connection" onClose=${close}>
      <form onSubmit=${submit}>
        ${step === "leaving" &&
        html`<${Leaving} onStay=${() => setStep("typing")} onLeave=${onClose} />`}
        <${Conflict} change=${change} revision=${inventory.revision} />
        <${ProblemNotice} problem=${change.problem} />
        <${ServiceField} ...${{ services, service }} onChoose=${choose} />
        ${service && html`<${Parts} ...${{ service, draft, set, taken, inventory }} />`}
        <div class="form-ways">
          <button class="primary" disabled=${!service || taken || change.busy || change.overtaken}>
            ${change.busy ? "Adding…" : "Add"}
          </button>
          <button type="button" class="quiet" onClick=${close}>Close</button>
        </div>
      </form>
    <//>
  `;
}

function Parts({ service, draft, set, taken, inventory }) {
  const address = useAddress(service.provider, addressOf(service, draft) ?? "");
  const models = useModels(withTyped(service, draft, inventory));
  return html`
    <${ServiceNote} service=${service} />
    <${NameField} value=${draft.name} taken=${taken} onValue=${set("name")} />
    <${ServiceAddress} ...${{ service, draft, set, address }} />
    ${service.provider !== "ollama" &&
    html`
      <${SecretField}
        label="Key"
        hint=${keyHint(service)}
        value=${draft.key}
        onValue=${set("key")}
      />
    `}
    <${ModelInput}
      label="Model"
      hint=${models.text || "It can also be chosen later. The service's own list needs address and key."}
      example=${service.model && `for example ${service.model}`}
      value=${draft.model}
      names=${models.names}
      onType=${set("model")}
      onOpen=${models.read}
    />
    <${CeilingField} value=${draft.ceiling} policy=${inventory.policy} onValue=${set("ceiling")} />
    <${Options} typed=${draft.options} onType=${set("options")} />
  `;
}

/** What to ask for models with: nothing of it is saved, and the connection isn't made yet. */
function withTyped(service, draft, inventory) {
  const names = inventory.providers.map((row) => row.connection);
  const address = addressOf(service, draft) || undefined;
  const key = draft.key.trim() || undefined;
  const askable = mayBeLocal(service.provider) ? address : key && address !== null;
  const body = { provider: service.provider, base_url: address, api_key: key };
  return { connection: freeName("new", names), saved: [], askable: Boolean(askable), body };
}

function NameField({ value, taken, onValue }) {
  const hint = taken
    ? `There is a connection called ${value} already.`
    : "What it is called here: small letters, digits and hyphens. It can't be changed later.";
  const control = (ties) => html`
    <input
      ...${ties}
      type="text"
      pattern="[a-z][a-z0-9\\-]*"
      maxlength="32"
      required
      autocomplete="off"
      spellcheck=${false}
      value=${value}
      onInput=${(event) => onValue(event.target.value.toLowerCase())}
    />
  `;
  return html`<${Field} label="Name" hint=${hint} tone=${taken ? "warn" : ""}>${control}<//>`;
}

const keyHint = ({ key }) =>
  `${key ? `It takes ${key.replaceAll("`", "")}. ` : ""}It can also be entered later.`;

/** What is sent: only what was typed. */
function bodyOf(service, draft) {
  const sent = {
    base_url: addressOf(service, draft) || undefined,
    model: draft.model.trim() || undefined,
    api_key: draft.key.trim() || undefined,
    max_tlp: draft.ceiling || undefined,
    options: asSent(draft.options) ?? undefined,
  };
  return { provider: service.provider, ...sent };
}
