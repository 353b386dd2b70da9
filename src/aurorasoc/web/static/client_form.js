// A new machine client, and a new secret for one. A secret is shown once.

import { html, useState } from "./htm-preact-standalone.js";
import { BudgetFields, Choice } from "./budget_fields.js";
import { amountProblem, asBudget, EMPTY_BUDGET } from "./budget_words.js";
import { MEANING } from "./ceiling.js";
import { useChange } from "./change.js";
import { Conflict } from "./conflict.js";
import { useLeaving } from "./leaving.js";
import { SecretOnce } from "./secret_once.js";
import { say } from "./store.js";
import { Check, Field, Modal, ProblemNotice } from "./ui.js";
import { LABELS } from "./words.js";

const EMPTY = { name: "", max_tlp: "", end: "", budget: null };

/** `taken` are the names that clients have. */
export function NewClient({ taken, revision, onClose }) {
  const change = useChange();
  const [draft, setDraft] = useState(EMPTY);
  const [made, setMade] = useState(null); // {name, secret}
  const set = (typed) => setDraft({ ...draft, ...typed });
  const dirty = JSON.stringify(draft) !== JSON.stringify(EMPTY);
  const { close, question } = useLeaving(dirty && !made, onClose);
  const problem = problemOf(draft, taken);
  const blocked = problem.name || problem.budget || change.busy || change.overtaken;

  async function save(event) {
    event.preventDefault();
    const answer = await change.run((call) => call("POST", "/clients", bodyOf(draft)));
    if (!answer) return;
    say(`The client ${answer.name} is made. Its secret is shown once.`);
    setMade(answer);
  }
  if (made) return html`<${SecretOnce} ...${made} onClose=${onClose} />`;
  return html`
    <${Modal} title="Add a client" onClose=${close}>
      <form onSubmit=${save}>
        ${question}
        <${Conflict} change=${change} revision=${revision} />
        <${ProblemNotice} problem=${change.problem} />
        <${NameField}
          value=${draft.name}
          problem=${draft.name && problem.name}
          onType=${(name) => set({ name })}
        />
        <${Choice}
          label="Highest label that it may send (TLP)"
          hint="Also the label of what it sends without one."
          value=${draft.max_tlp}
          options=${CEILINGS}
          onChoose=${(label) => set({ max_tlp: label })}
        />
        <${EndField} value=${draft.end} onType=${(end) => set({ end })} />
        <${Check}
          checked=${draft.budget !== null}
          onChange=${(wanted) => set({ budget: wanted ? EMPTY_BUDGET : null })}
        >
          A budget of its own
        <//>
        ${draft.budget &&
        html`
          <fieldset class="limit">
            <legend>Its budget</legend>
            <${BudgetFields}
              typed=${draft.budget}
              onType=${(typed) => set({ budget: { ...draft.budget, ...typed } })}
            />
            ${problem.budget && html`<p class="hint warn">${problem.budget}</p>`}
          </fieldset>
        `}
        <div class="form-ways">
          <button class="primary" disabled=${blocked}>
            ${change.busy ? "Adding…" : "Add, and show its secret"}
          </button>
          <button type="button" class="quiet" onClick=${close}>Close</button>
        </div>
      </form>
    <//>
  `;
}

const CEILINGS = {
  "": "Any; what has no label stays without one",
  ...Object.fromEntries(LABELS.map((label) => [label, `${label}: ${MEANING[label]}`])),
};

function problemOf({ name, budget }, taken) {
  const used = taken.includes(name) && `There is a client called ${name} already.`;
  return { name: used || (name === "" ? "needed" : ""), budget: budget ? amountProblem(budget) : "" };
}

/** What is sent: only what was chosen. The end is the end of that day, here. */
const bodyOf = ({ name, max_tlp: label, end, budget }) => ({
  name,
  max_tlp: label || null,
  expires_at: end ? new Date(`${end}T23:59:59`).toISOString() : null,
  budget: budget && asBudget(budget),
});

function NameField({ value, problem, onType }) {
  const hint = problem || "What it is called in usage and the audit log: small letters, digits and hyphens.";
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
      onInput=${(event) => onType(event.target.value.toLowerCase())}
    />
  `;
  return html`<${Field} label="Name" hint=${hint} tone=${problem ? "warn" : ""}>${control}<//>`;
}

const EndField = ({ value, onType }) => html`
  <${Field} label="Valid until the end of" hint="Leave it empty for a client without an end.">
    ${(ties) => html`
      <input
        ...${ties}
        type="date"
        min=${new Date(Date.now() - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 10)}
        value=${value}
        onInput=${(event) => onType(event.target.value)}
      />
    `}
  <//>
`;

const HOUR = 3_600; // seconds
const GRACES = {
  0: "at once",
  [HOUR]: "in an hour",
  [24 * HOUR]: "in a day",
  [7 * 24 * HOUR]: "in a week",
  [30 * 24 * HOUR]: "in 30 days",
};

/** A new secret; the one before goes on for a while, so that the client can be changed over. */
export function NewSecret({ name, revision, onClose }) {
  const change = useChange();
  const [grace, setGrace] = useState(24 * HOUR);
  const [made, setMade] = useState(null);
  async function replace() {
    const body = { grace_seconds: Number(grace) };
    const answer = await change.run((call) => call("POST", `/clients/${name}/secret`, body));
    if (!answer) return;
    say(`The client ${name} has a new secret. It is shown once.`);
    setMade(answer);
  }
  if (made) return html`<${SecretOnce} ...${made} name=${name} onClose=${onClose} />`;
  const footer = html`
    <button type="button" class="primary" disabled=${change.busy || change.overtaken} onClick=${replace}>
      ${change.busy ? "Making…" : "Make a new secret"}
    </button>
    <button type="button" onClick=${onClose}>Back</button>
  `;
  const hint =
    Number(grace) === 0
      ? "Calls with the old secret are refused from then on, in every process."
      : "Until then both are valid. A secret from before that one ends at once.";
  return html`
    <${Modal} title="A new secret for ${name}" onClose=${onClose} footer=${footer}>
      <${Conflict} change=${change} revision=${revision} />
      <${ProblemNotice} problem=${change.problem} />
      <${Choice}
        label="The present secret ends"
        value=${String(grace)}
        options=${GRACES}
        hint=${hint}
        onChoose=${setGrace}
      />
    <//>
  `;
}
