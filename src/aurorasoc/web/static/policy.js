// Which labelled data may go to hosted providers, which backend takes the rest, and who is asked
// after a failure or a refusal.

import { html, useEffect, useState } from "./htm-preact-standalone.js";
import { Asking } from "./asking.js";
import { MEANING } from "./ceiling.js";
import { useChange } from "./change.js";
import { Conflict } from "./conflict.js";
import { Fallbacks } from "./fallbacks.js";
import { may } from "./store.js";
import { Check, Field, Mark, Notice, ProblemNotice, Problems, useId } from "./ui.js";
import { useUnsaved } from "./unsaved.js";
import { connectionName, HIGHEST, mayBeLocal } from "./words.js";

export function Policy({ inventory }) {
  const { policy, revision } = inventory;
  const [draft, setDraft] = useState({});
  const [done, setDone] = useState(false);
  const [asking, setAsking] = useState(false);
  const change = useChange();
  const sent = Object.fromEntries(
    Object.entries(draft).filter(([name, value]) => !isSame(value, policy[name])),
  );
  const idle = Object.keys(sent).length === 0;
  useUnsaved(!idle);
  useEffect(() => {
    if (idle && change.overtaken) change.accept(); // nothing was typed, so nothing can be lost
  });

  const ask = (event) => {
    event.preventDefault();
    setAsking(true);
  };
  async function save() {
    const answer = await change.run((call) => call("PUT", "/system/llm/policy", sent));
    if (!answer) return;
    setAsking(false);
    setDraft({});
    setDone(true);
  }
  const set = (name) => (value) => {
    setDone(false);
    setDraft({ ...draft, [name]: value });
  };
  return html`
    <section class="panel" aria-labelledby="policy-title">
      <h2 id="policy-title">Sensitivity policy</h2>
      <form onSubmit=${ask}>
        ${!idle && !asking && html`<${Conflict} change=${change} revision=${revision} />`}
        ${!asking && html`<${ProblemNotice} problem=${change.problem} />`}
        ${done && html`<${Notice} tone="ok" alert>The policy is saved, and in force.<//>`}
        <${Choices} shown=${{ ...policy, ...draft }} set=${set} rows=${inventory.providers} />
        <${Afterwards} shown=${{ ...policy, ...draft }} set=${set} inventory=${inventory} />
        ${may("users:manage") &&
        html`<${Ways} idle=${idle} change=${change} onDiscard=${() => setDraft({})} />`}
      </form>
      ${asking &&
      html`
        <${Asking}
          title="Save the policy?"
          planned=${{ policy: sent }}
          change=${change}
          onConfirm=${save}
          onClose=${() => setAsking(false)}
        />
      `}
    </section>
  `;
}

const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** Who is asked after a failure, and after a refusal. */
function Afterwards({ shown, set, inventory }) {
  const fixed = !may("users:manage");
  const { policy } = inventory;
  const source = isSame(shown.fallbacks, policy.fallbacks) ? policy.sources.fallbacks : null;
  const refusals = (ties) => html`
    <select
      ...${ties}
      disabled=${fixed}
      value=${shown.on_refusal}
      onChange=${(event) => set("on_refusal")(event.target.value)}
    >
      <option value="fail">is the answer</option>
      <option value="local">is asked of the local backend, once</option>
    </select>
  `;
  return html`
    <${Fallbacks}
      legend="Fallbacks: asked in this order when a connection fails"
      names=${shown.fallbacks}
      onNames=${set("fallbacks")}
      ...${{ source, inventory, fixed }}
    />
    <${Problems} problems=${policy.warnings} />
    <div class="policy-rest">
      <${Field} label="What a hosted model refuses" hint="It never goes to another vendor.">${refusals}<//>
    </div>
  `;
}

function Choices({ shown, set, rows }) {
  const local = rows.filter((row) => mayBeLocal(row.provider)).map((row) => row.connection);
  const fixed = !may("users:manage");
  const choice = (ties) => html`
    <select
      ...${ties}
      disabled=${fixed}
      value=${shown.local_backend}
      onChange=${(event) => set("local_backend")(event.target.value)}
    >
      <option value="auto">vLLM if it answers, else Ollama</option>
      ${local.map((name) => html`<option key=${name} value=${name}>${connectionName(name)}</option>`)}
    </select>
  `;
  return html`
    <${Ladder} value=${shown.hosted_max_tlp} onValue=${set("hosted_max_tlp")} fixed=${fixed} />
    <div class="policy-rest">
      <${Field} label="Local backend for the other labels">${choice}<//>
      <${Check} checked=${shown.require_tlp} onChange=${set("require_tlp")} disabled=${fixed}>
        Refuse requests without a label
      <//>
    </div>
  `;
}

const Ways = ({ idle, change, onDiscard }) => html`
  <div class="form-ways">
    <button class="primary" disabled=${idle || change.busy || change.overtaken}>
      Save the policy…
    </button>
    ${!idle && html`<button type="button" class="quiet" onClick=${onDiscard}>Discard</button>`}
  </div>
`;

/** The labels from the least to the most restricted; those up to the chosen one may leave. */
function Ladder({ value, onValue, fixed }) {
  const group = useId("ladder");
  const highest = HIGHEST.indexOf(value);
  return html`
    <fieldset class="ladder">
      <legend>Highest label that may go to a hosted connection without its own ceiling (TLP 2.0)</legend>
      ${HIGHEST.map(
        (label, rank) => html`
          <label key=${label} class="rung">
            <input
              type="radio"
              name=${group}
              value=${label}
              disabled=${fixed}
              checked=${label === value}
              onChange=${() => onValue(label)}
            />
            <span class="rung-name">${label}</span>
            <span class="rung-meaning">${MEANING[label]}</span>
            ${rank > 0 && html`<${Fate} leaves=${rank <= highest} />`}
          </label>
        `,
      )}
    </fieldset>
  `;
}

const Fate = ({ leaves }) => html`
  <span class="rung-mark">
    <${Mark} tone=${leaves ? "leaves" : "stays"}>${leaves ? "may leave" : "stays local"}<//>
  </span>
`;
