// "Add a connection": to a known service, or to a provider at an address of one's own.

import { html, useState } from "./htm-preact-standalone.js";
import { addressOf, bodyOf, EMPTY, withTyped } from "./added.js";
import { AddressInput, CallsTo, useAddress } from "./address.js";
import { Asking } from "./asking.js";
import { CeilingField } from "./ceiling.js";
import { useChange } from "./change.js";
import { Conflict } from "./conflict.js";
import { filledIn, freeName, placeholderIn, placeholdersOf, useKnown } from "./known.js";
import { Leaving } from "./leaving.js";
import { ModelInput } from "./model_picker.js";
import { useModels } from "./models.js";
import { Options } from "./options.js";
import { ServiceField, ServiceNote } from "./services.js";
import { useStore } from "./store.js";
import { Field, Modal, ProblemNotice, SecretField } from "./ui.js";
import { useUnsaved } from "./unsaved.js";
import { mayBeLocal, rowOf } from "./words.js";

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
    <${Address} ...${{ service, draft, set, address }} />
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

/** The base URL, or the parts of it that a known service leaves open. */
function Address({ service, draft, set, address }) {
  if (service.provider === "gemini") return null;
  const pattern = service.base_url ?? "";
  const parts = placeholdersOf(pattern);
  if (parts.length === 0) {
    const required = mayBeLocal(service.provider);
    const hint = required
      ? "Where the server is."
      : "Leave it empty for the vendor's own address.";
    return html`
      <${AddressInput}
        ...${{ hint, required, address, value: draft.address }}
        onType=${set("address")}
      />
    `;
  }
  const complete = filledIn(pattern, draft.values) !== null;
  const hint = complete ? html`<${CallsTo} address=${address} />` : `It is filled in here: ${pattern}`;
  return parts.map((name) => {
    const fill = (event) =>
      set("values")({ ...draft.values, [name]: placeholderIn(pattern, name, event.target.value) });
    const control = (ties) => html`
      <input
        ...${ties}
        type="text"
        pattern="[A-Za-z0-9.\\-]+"
        required
        maxlength="253"
        autocomplete="off"
        spellcheck=${false}
        value=${draft.values[name] ?? ""}
        onInput=${fill}
      />
    `;
    const label = `${name[0].toUpperCase()}${name.slice(1)}`;
    return html`<${Field} key=${name} label=${label} hint=${hint}>${control}<//>`;
  });
}

const keyHint = ({ key }) =>
  `${key ? `It takes ${key.replaceAll("`", "")}. ` : ""}It can also be entered later.`;
