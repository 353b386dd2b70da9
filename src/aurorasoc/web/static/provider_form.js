// One provider's form: models, base URL and key; test, store, save, switch.

import { html, useState } from "./htm-preact-standalone.js";
import { Problems } from "./active.js";
import { useChange } from "./change.js";
import { Conflict } from "./conflict.js";
import { changesOf, emptyDraft, isDirty, isKeyAlone, leavesKeyBehind, shown } from "./draft.js";
import { KeyPart } from "./key_part.js";
import { ModelField, useModels } from "./model_field.js";
import { useStore } from "./store.js";
import { Switch } from "./switch.js";
import { useTest, Verdict } from "./test.js";
import { Field, Modal, Notice, ProblemNotice } from "./ui.js";
import { providerName, SOURCES } from "./words.js";

export function ProviderForm({ provider, onClose }) {
  const { inventory } = useStore();
  const row = inventory.providers.find((candidate) => candidate.provider === provider);
  const [draft, setDraft] = useState(emptyDraft);
  const [switching, setSwitching] = useState(false);
  const [leaving, setLeaving] = useState(false);
  const [done, setDone] = useState("");
  const [verify, setVerify] = useState(true);
  const change = useChange();
  const test = useTest(provider);
  const { names, text } = useModels(row);
  const changes = changesOf(draft, row);
  const name = providerName(provider);
  const type = (field) => (text) => setDraft({ ...draft, [field]: text });

  async function save(send, text) {
    setDone("");
    test.forget();
    if (!(await change.run(send))) return false;
    setDraft(emptyDraft());
    setDone(text);
    return true;
  }
  const path = `/system/llm/providers/${provider}/key`;
  const storeKey = () =>
    save((call) => call("PUT", path, { api_key: changes.api_key }), "The key is stored. It is never shown again.");
  const removeKey = () => save((call) => call("DELETE", path), "The stored key is removed.");
  const saveActive = () =>
    save(
      (call) => call("PUT", `/system/llm/config?verify=${verify}`, { provider, ...changes }),
      "Saved, and in force here.",
    );
  const testStored = () => (setDone(""), test.test());
  const submit = (event) => {
    event.preventDefault();
    if (row.active) saveActive();
    else setSwitching(true);
  };
  const close = () => (isDirty(changes) ? setLeaving(true) : onClose());
  const moved = leavesKeyBehind(draft, row);

  if (switching) {
    return html`
      <${Switch}
        wanted=${{ provider, ...changes }}
        base=${change.base}
        onSwitched=${() => setDraft(emptyDraft())}
        onClose=${(switched) => (switched ? onClose() : setSwitching(false))}
      />
    `;
  }
  return html`
    <${Modal} title=${name} onClose=${close}>
      <form onSubmit=${submit}>
        <p class="lead">${row.best_for}</p>
        ${leaving && html`<${Leaving} onStay=${() => setLeaving(false)} onLeave=${onClose} />`}
        <${Problems} problems=${row.problems} />
        <${Conflict} change=${change} revision=${inventory.revision} />
        <${ProblemNotice} problem=${change.problem ?? test.problem} />
        <${Verdict} verdict=${test.verdict} />
        ${done && html`<${Notice} tone="ok" alert>${done}<//>`}
        <${ModelField}
          label="Specialist model" field="model" hint=${text}
          row=${row} draft=${draft} names=${names} onType=${type("model")}
        />
        <${ModelField}
          label="Orchestrator model" field="orchestrator_model"
          row=${row} draft=${draft} names=${names} onType=${type("orchestrator_model")}
        />
        ${row.base_url_support !== "none" && html`
          <${BaseUrl} row=${row} draft=${draft} moved=${moved} onType=${type("base_url")} />
        `}
        <${KeyPart} row=${row} draft=${draft} moved=${moved} onType=${type("api_key")} onRemove=${removeKey} />
        ${row.active && html`<${VerifyBox} name=${name} verify=${verify} onVerify=${setVerify} />`}
        <div class="form-ways">
          <button class="primary" disabled=${change.busy || change.overtaken || (row.active && !isDirty(changes))}>
            ${row.active ? (change.busy ? "Saving…" : "Save") : `Switch to ${name}…`}
          </button>
          ${!row.active && isKeyAlone(changes) && html`
            <button type="button" disabled=${change.busy || change.overtaken} onClick=${storeKey}>Store the key only</button>
          `}
          ${row.ready && !isDirty(changes) && html`
            <button type="button" disabled=${test.busy} onClick=${testStored}>${test.busy ? "Testing…" : "Test"}</button>
          `}
          <button type="button" class="quiet" onClick=${close}>Close</button>
        </div>
      </form>
    <//>
  `;
}

const BaseUrl = ({ row, draft, moved, onType }) => html`
  <${Field}
    label="Base URL" tone=${moved ? "warn" : ""}
    hint=${moved
      ? `The key in force belongs to ${row.base_url} and stays there: enter the key for the new address below, with this change.`
      : `In force: ${row.base_url ?? "none"} (${SOURCES[row.sources.base_url]}). Emptied, it goes back to the boot default.`}
  >
    ${(ties) => html`
      <input ...${ties} type="url" inputmode="url" autocomplete="off" spellcheck=${false}
        value=${shown(draft, row, "base_url")} onInput=${(event) => onType(event.target.value)} />
    `}
  <//>
`;

/** A test before anything is saved. */
export const VerifyBox = ({ name, verify, onVerify }) => html`
  <label class="check">
    <input type="checkbox" checked=${verify} onChange=${(event) => onVerify(event.target.checked)} />
    <span>Test first: ask ${name} for a word, and change nothing if that fails</span>
  </label>
`;

const Leaving = ({ onStay, onLeave }) => html`
  <${Notice} tone="warn" title="You have typed something that isn't saved" alert>
    <p class="ways">
      <button type="button" onClick=${onStay}>Keep editing</button>
      <button type="button" onClick=${onLeave}>Discard and close</button>
    </p>
  <//>
`;
