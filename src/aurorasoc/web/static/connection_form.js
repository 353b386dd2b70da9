// One provider's form: models, base URL and key; test, store, save, switch.

import { html, useState } from "./htm-preact-standalone.js";
import { useChange } from "./change.js";
import { Conflict } from "./conflict.js";
import { changesOf, emptyDraft, isDirty, isKeyAlone, leavesKeyBehind } from "./draft.js";
import { BaseUrlField, ModelField, useModels } from "./fields.js";
import { KeyPart } from "./key_part.js";
import { useStore } from "./store.js";
import { Switch } from "./switch.js";
import { useTest, Verdict } from "./probe.js";
import { Modal, Notice, ProblemNotice, Problems, TestFirst, When } from "./ui.js";
import { connectionName } from "./words.js";

export function ConnectionForm({ provider, onClose }) {
  const { inventory } = useStore();
  const row = inventory.providers.find((candidate) => candidate.provider === provider);
  const chosen = inventory.active.requested === provider; // `auto` may have found it, too
  const form = useForm(row);
  const models = useModels(row);
  const [step, setStep] = useState("typing"); // typing | leaving | switching
  const name = connectionName(provider);
  const close = () => (isDirty(form.changes) ? setStep("leaving") : onClose());
  const submit = (event) => {
    event.preventDefault();
    if (chosen) form.save();
    else setStep("switching");
  };

  if (step === "switching") {
    return html`
      <${Switch}
        wanted=${{ provider, ...form.changes }}
        base=${form.change.base}
        onSwitched=${form.forget}
        onClose=${(switched) => (switched ? onClose() : setStep("typing"))}
      />
    `;
  }
  return html`
    <${Modal} title=${name} onClose=${close}>
      <form onSubmit=${submit}>
        <p class="lead">${row.best_for}</p>
        ${step === "leaving" &&
        html`<${Leaving} onStay=${() => setStep("typing")} onLeave=${onClose} />`}
        <${Problems} problems=${[...row.problems, ...row.warnings]} />
        ${row.last_error && html`<${LastError} error=${row.last_error} />`}
        <${Outcome} form=${form} revision=${inventory.revision} />
        <${ModelField} label="Specialist model" ...${form.field("model")} models=${models} counts />
        <${ModelField}
          label="Orchestrator model"
          ...${form.field("orchestrator_model")}
          models=${models}
        />
        ${row.base_url_support !== "none" &&
        html`<${BaseUrlField} ...${form.field("base_url")} moved=${form.moved} />`}
        <${KeyPart} ...${form.field("api_key")} moved=${form.moved} onRemove=${form.removeKey} />
        ${(chosen || isKeyAlone(form.changes)) &&
        html`<${TestFirst} checked=${form.verify} onChange=${form.setVerify} name=${name} />`}
        <${Ways} form=${form} row=${row} name=${name} chosen=${chosen} onClose=${close} />
      </form>
    <//>
  `;
}

/** What was typed, and what can be done with it. */
function useForm(row) {
  const [draft, setDraft] = useState(emptyDraft);
  const [done, setDone] = useState("");
  const [verify, setVerify] = useState(true);
  const change = useChange();
  const test = useTest(row.provider);
  const changes = changesOf(draft, row);
  const forget = () => setDraft(emptyDraft());
  const key = `/system/llm/providers/${row.provider}/key`;

  async function make(text, send) {
    setDone("");
    test.forget();
    if (!(await change.run(send))) return;
    forget();
    setDone(text);
  }
  return {
    ...{ change, changes, done, forget, setVerify, test, verify },
    moved: leavesKeyBehind(draft, row),
    field: (name) => ({
      ...{ draft, row, name },
      onType: (text) => setDraft({ ...draft, [name]: text }),
    }),
    save: () =>
      make("Saved, and in force here.", (call) =>
        call("PUT", `/system/llm/config?verify=${verify}`, { provider: row.provider, ...changes }),
      ),
    storeKey: () =>
      make("The key is stored. It is never shown again.", (call) =>
        call("PUT", `${key}?verify=${verify}`, { api_key: changes.api_key }),
      ),
    removeKey: () => make("The stored key is removed.", (call) => call("DELETE", key)),
    testStored: () => (setDone(""), test.test()),
  };
}

/** How the last thing that was done ended, and what others did meanwhile. */
const Outcome = ({ form, revision }) => html`
  <${Conflict} change=${form.change} revision=${revision} />
  <${ProblemNotice} problem=${form.change.problem ?? form.test.problem} />
  <${Verdict} verdict=${form.test.verdict} />
  ${form.done && html`<${Notice} tone="ok" alert>${form.done}<//>`}
`;

function Ways({ form, row, name, chosen, onClose }) {
  const { change, changes, test } = form;
  const blocked = change.busy || change.overtaken;
  const dirty = isDirty(changes);
  return html`
    <div class="form-ways">
      <button class="primary" disabled=${blocked || (chosen && !dirty)}>
        ${chosen ? (change.busy ? "Saving…" : "Save") : `Switch to ${name}…`}
      </button>
      ${!chosen &&
      isKeyAlone(changes) &&
      html`<button type="button" disabled=${blocked} onClick=${form.storeKey}>
        Store the key only
      </button>`}
      ${row.ready &&
      !dirty &&
      html`<button type="button" disabled=${test.busy} onClick=${form.testStored}>
        ${test.busy ? "Testing…" : "Test"}
      </button>`}
      <button type="button" class="quiet" onClick=${onClose}>Close</button>
    </div>
  `;
}

const LastError = ({ error }) => html`
  <p class="hint">Its last error${error.at && html`, <${When} at=${error.at} />`}: ${error.detail}</p>
`;

const Leaving = ({ onStay, onLeave }) => html`
  <${Notice} tone="warn" title="You have typed something that isn't saved" alert>
    <p class="ways">
      <button type="button" onClick=${onStay}>Keep editing</button>
      <button type="button" onClick=${onLeave}>Discard and close</button>
    </p>
  <//>
`;
