// One connection's form: models, base URL, key, ceiling and options; test, save, switch, delete.

import { html, useRef, useState } from "./htm-preact-standalone.js";
import { Asking } from "./asking.js";
import { CeilingField } from "./ceiling.js";
import { Conflict } from "./conflict.js";
import { fitsASwitch, isDirty, isTestable, movesOf } from "./draft.js";
import { BaseUrlField, ModelField } from "./fields.js";
import { KeyPart } from "./key_part.js";
import { Leaving } from "./leaving.js";
import { asTyped, useModels } from "./models.js";
import { Options } from "./options.js";
import { Verdict } from "./probe.js";
import { Removal, usesOf } from "./removal.js";
import { say, useStore } from "./store.js";
import { Switch } from "./switch.js";
import { useForm } from "./use_form.js";
import { Modal, Notice, ProblemNotice, Problems, TestFirst, When } from "./ui.js";
import { connectionName, isBuiltIn, kindName, rowOf } from "./words.js";

/** The form, once the connection is there; it stays when somebody else deletes it. */
export function ConnectionForm({ name, isNew, onClose }) {
  const { inventory } = useStore();
  const last = useRef(null);
  const present = rowOf(inventory, name);
  last.current = present ?? last.current;
  const row = last.current;
  return row && html`<${Form} ...${{ inventory, row, isNew, onClose }} gone=${!present} />`;
}

function Form({ inventory, row, isNew, gone, onClose }) {
  const name = row.connection;
  const form = useForm(row);
  const models = useModels(asTyped(row, form.changes, form.moved));
  const [step, setStep] = useState("typing"); // typing | leaving | asking | switching
  const title = connectionName(name);
  const chosen = inventory.active.requested === name; // `auto` may have found it, too
  const moves = movesOf(form.changes, row, usesOf(inventory, name), form.address.base_url);
  const close = () => (isDirty(form.changes) ? setStep("leaving") : onClose());
  const testable = isDirty(form.changes) && isTestable(form.changes, row);
  const save = async () => {
    await form.save(testable && form.verify);
    setStep("typing");
  };
  const remove = async () => {
    if (!(await form.remove())) return;
    say(`${title} is deleted.`);
    onClose();
  };
  const submit = (event) => {
    event.preventDefault();
    if (form.changes.max_tlp === undefined && !moves) save();
    else setStep("asking"); // a ceiling says where data may go, an address where it goes
  };

  if (step === "switching") {
    return html`
      <${Switch}
        wanted=${{ provider: name, ...form.changes }}
        base=${form.change.base}
        onSwitched=${form.forget}
        onClose=${(switched) => (switched ? onClose() : setStep("typing"))}
      />
    `;
  }
  if (step === "asking") {
    const { max_tlp: ceiling = row.max_tlp } = form.changes;
    const planned = { connections: { [name]: { max_tlp: ceiling } } };
    return html`
      <${Asking}
        title="Save the ${moves ? "address" : "ceiling"} of ${title}?"
        ...${{ planned, moves, change: form.change, onConfirm: save }}
        onClose=${() => setStep("typing")}
      />
    `;
  }
  return html`
    <${Modal} title=${title} onClose=${close}>
      <form onSubmit=${submit}>
        <p class="lead">${isBuiltIn(row) ? row.best_for : `A connection to ${kindName(row.provider)}`}</p>
        ${step === "leaving" &&
        html`<${Leaving} onStay=${() => setStep("typing")} onLeave=${onClose} />`}
        ${isNew && !form.done && html`<${Added} row=${row} />`}
        ${gone && html`<${Gone} />`}
        <${Problems} problems=${[...row.problems, ...row.warnings]} />
        ${row.last_error && html`<${LastError} error=${row.last_error} />`}
        <${Outcome} form=${form} revision=${inventory.revision} />
        <${Fields} ...${{ form, row, models, policy: inventory.policy }} />
        ${row.source === "runtime" &&
        !gone &&
        html`<${Removal} inventory=${inventory} row=${row} onRemove=${remove} />`}
        ${testable &&
        html`<${TestFirst} checked=${form.verify} onChange=${form.setVerify} name=${title} />`}
        <${Ways} ...${{ form, row, title, chosen }} onSwitch=${() => setStep("switching")} onClose=${close} />
      </form>
    <//>
  `;
}

const Fields = ({ form, row, models, policy }) => html`
  <${ModelField} label="Specialist model" ...${form.field("model")} models=${models} counts />
  <${ModelField}
    label="Orchestrator model"
    ...${form.field("orchestrator_model")}
    models=${models}
  />
  ${row.base_url_support !== "none" &&
  html`<${BaseUrlField}
    ...${form.field("base_url")}
    moved=${form.moved}
    address=${form.address}
  />`}
  <${KeyPart} ...${form.field("api_key")} moved=${form.moved} onRemove=${form.removeKey} />
  <${Ceiling} ...${form.field("max_tlp")} policy=${policy} />
  <${Options} ...${form.options} />
`;

const Ceiling = ({ draft, row, policy, onType }) => html`
  <${CeilingField}
    value=${draft.max_tlp ?? row.max_tlp ?? ""}
    policy=${policy}
    onValue=${onType}
  />
`;

/** How the last thing that was done ended, and what others did meanwhile. */
const Outcome = ({ form, revision }) => html`
  <${Conflict} change=${form.change} revision=${revision} />
  <${ProblemNotice} problem=${form.change.problem ?? form.test.problem} />
  ${form.test.verdicts.map((verdict, role) => html`<${Verdict} key=${role} verdict=${verdict} />`)}
  ${form.test.verdicts.length > 0 &&
  isDirty(form.changes) &&
  html`<${Unsaved} changes=${form.changes} />`}
  ${form.done && html`<${Notice} tone="ok" alert>${form.done}<//>`}
`;

function Ways({ form, row, title, chosen, onSwitch, onClose }) {
  const { change, changes, test } = form;
  const blocked = change.busy || change.overtaken;
  const dirty = isDirty(changes);
  return html`
    <div class="form-ways">
      <button class="primary" disabled=${blocked || !dirty}>
        ${change.busy ? "Saving…" : "Save"}
      </button>
      ${!chosen &&
      fitsASwitch(changes) &&
      html`<button type="button" disabled=${blocked} onClick=${onSwitch}>
        Switch to ${title}…
      </button>`}
      ${(dirty ? isTestable(changes, row) : row.ready) &&
      html`<button type="button" disabled=${test.busy || change.busy} onClick=${form.testTyped}>
        ${test.busy ? "Testing…" : "Test"}
      </button>`}
      <button type="button" class="quiet" onClick=${onClose}>Close</button>
    </div>
  `;
}

const Added = ({ row }) => html`
  <${Notice} tone="ok" title="${row.connection} is added. Nobody uses it yet." alert>
    ${row.ready
      ? "Test it, then switch to it or assign it to somebody."
      : "Enter what is still missing, then test it."}
  <//>
`;

const Gone = () => html`
  <${Notice} tone="warn" title="Somebody deleted this connection meanwhile" alert>
    Saving adds it again.
  <//>
`;

/** What a test of what is typed leaves undone, and what it can't show. */
const Unsaved = ({ changes }) => html`
  <p class="hint">
    Tested as typed. Nothing is saved yet.
    ${"options" in changes && " The test used the saved options, not the typed ones."}
  </p>
`;

const LastError = ({ error }) => html`
  <p class="hint">Last error${error.at && html`, <${When} at=${error.at} />`}: ${error.detail}</p>
`;
