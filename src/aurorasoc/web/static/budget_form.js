// All limits in one form, saved as a whole: bound to a revision, and asked about before it is saved.

import { html, useEffect, useState } from "./htm-preact-standalone.js";
import { BudgetFields, Choice } from "./budget_fields.js";
import {
  amountProblem,
  areSame,
  asLimit,
  asTyped,
  compareLimits,
  EMPTY_BUDGET,
  keyOf,
  KINDS,
  mergeLimits,
} from "./budget_words.js";
import { useChange } from "./change.js";
import { Conflict } from "./conflict.js";
import { Icon } from "./icons.js";
import { useLeaving } from "./leaving.js";
import { say } from "./store.js";
import { Field, Modal, ProblemNotice, useId } from "./ui.js";

const MOST = 200; // limits that the service takes

const EMPTY_LIMIT = { kind: "connection", name: "", ...EMPTY_BUDGET };

let made = 0;
const withId = (typed) => ({ ...typed, id: (made += 1) }); // a row keeps its fields when another goes

/**
 * `stored` is `{revision, limits}` as it was read last; `names` offers connections, agents and clients
 * by kind.
 */
export function BudgetForm({ stored, names, revision, onClose }) {
  const { limits } = stored;
  const change = useChange();
  const [base, setBase] = useState(limits);
  const [rows, setRows] = useState(() => limits.map((limit) => withId(asTyped(limit))));
  const [asking, setAsking] = useState(false);
  const planned = rows.map(asLimit);
  const problems = rows.map((row, at) => problemOf(row, planned, at));
  const dirty = !areSame(base, planned);
  const { close, question } = useLeaving(dirty, onClose);
  useEffect(() => {
    if (change.overtaken || areSame(base, limits)) return;
    setRows(mergeLimits(base, planned, limits).map((limit) => withId(asTyped(limit))));
    setBase(limits);
  }, [limits, change.overtaken]);

  const set = (id) => (typed) =>
    setRows(rows.map((row) => (row.id === id ? { ...row, ...typed } : row)));
  async function save() {
    const body = { limits: planned };
    if (!(await change.run((call) => call("PUT", "/system/llm/budgets", body)))) return setAsking(false);
    say("The budgets are saved.");
    onClose();
  }
  if (asking) {
    const consequences = compareLimits(base, planned);
    return html`
      <${Asking}
        ...${{ consequences, change, revision }}
        onConfirm=${save}
        onClose=${() => setAsking(false)}
      />
    `;
  }
  const submit = (event) => (event.preventDefault(), setAsking(true));
  const isRead = stored.revision >= change.base; // else theirs are on the way, to be merged
  const blocked = !dirty || !isRead || problems.some(Boolean) || change.busy || change.overtaken;
  return html`
    <${Modal} title="Budgets" onClose=${close}>
      <form onSubmit=${submit}>
        ${question}
        <${Conflict} change=${change} revision=${revision} />
        <${ProblemNotice} problem=${change.problem} />
        ${rows.length === 0 && html`<p class="empty">No limits: anybody may spend anything.</p>`}
        ${rows.map(
          (row, at) => html`
            <${LimitFields}
              key=${row.id}
              ...${{ row, at, names, problem: problems[at] }}
              onType=${set(row.id)}
              onRemove=${() => setRows(rows.filter((other) => other !== row))}
            />
          `,
        )}
        ${rows.length < MOST &&
        html`<p>
          <button type="button" onClick=${() => setRows([...rows, withId(EMPTY_LIMIT)])}>Add a limit</button>
        </p>`}
        <div class="form-ways">
          <button class="primary" disabled=${blocked}>Save the budgets…</button>
          <button type="button" class="quiet" onClick=${close}>Close</button>
        </div>
      </form>
    <//>
  `;
}

function problemOf(row, planned, at) {
  if (row.name.trim() === "") return "Say whom it limits.";
  const key = keyOf(planned[at]);
  if (planned.findIndex((limit) => keyOf(limit) === key) < at) return "There is such a limit above: change that one.";
  return amountProblem(row);
}

function LimitFields({ row, at, names, problem, onType, onRemove }) {
  const list = useId("whom");
  const whom = (ties) => html`
    <input
      ...${ties}
      type="text"
      maxlength="64"
      autocomplete="off"
      spellcheck=${false}
      list=${list}
      value=${row.name}
      onInput=${(event) => onType({ name: event.target.value.toLowerCase() })}
    />
    <datalist id=${list}>
      ${names[row.kind].map((name) => html`<option key=${name} value=${name} />`)}
    </datalist>
  `;
  return html`
    <fieldset class="limit">
      <legend>Limit ${at + 1}</legend>
      <${Choice} label="Of a" value=${row.kind} options=${KINDS} onChoose=${(kind) => onType({ kind, name: "" })} />
      <${Field} label="Name">${whom}<//>
      <${BudgetFields} typed=${row} onType=${onType} />
      ${problem && html`<p class="hint warn">${problem}</p>`}
      <p>
        <button type="button" class="quiet" aria-label="Remove limit ${at + 1}" onClick=${onRemove}>Remove</button>
      </p>
    </fieldset>
  `;
}

function Asking({ consequences, change, revision, onConfirm, onClose }) {
  const blocked = change.busy || change.overtaken;
  const footer = html`
    <button type="button" class="primary" disabled=${blocked} onClick=${onConfirm}>
      ${change.busy ? "Saving…" : "Save"}
    </button>
    <button type="button" onClick=${onClose}>Back</button>
  `;
  return html`
    <${Modal} title="Save the budgets?" onClose=${onClose} footer=${footer}>
      <${Conflict} change=${change} revision=${revision} />
      <ul class="consequences">
        ${consequences.map(
          ({ key, icon, text }) => html`<li key=${key}><${Icon} name=${icon} /> <span>${text}</span></li>`,
        )}
      </ul>
    <//>
  `;
}
