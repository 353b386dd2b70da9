// Which labelled data may go to hosted providers, and who serves the rest.

import { html, useEffect, useState } from "./htm-preact-standalone.js";
import { useChange } from "./change.js";
import { Conflict } from "./conflict.js";
import { may } from "./store.js";
import { Field, Mark, Notice, ProblemNotice, useId } from "./ui.js";
import { HIGHEST } from "./words.js";

const MEANING = {
  NONE: "nothing that has a label",
  CLEAR: "may be published",
  GREEN: "the community",
  AMBER: "the organisation and its clients",
  "AMBER+STRICT": "the organisation only",
  RED: "the recipients only",
};

export function Policy({ inventory }) {
  const { policy } = inventory;
  const [draft, setDraft] = useState({});
  const [done, setDone] = useState(false);
  const change = useChange();
  const shown = { ...policy, ...draft };
  const sent = Object.fromEntries(Object.entries(draft).filter(([name, value]) => value !== policy[name]));
  const readOnly = !may("users:manage");
  const set = (name) => (value) => (setDone(false), setDraft({ ...draft, [name]: value }));
  const idle = Object.keys(sent).length === 0;
  useEffect(() => {
    if (idle && change.overtaken) change.accept(); // nothing was typed, so nothing can be lost
  });

  async function save(event) {
    event.preventDefault();
    if (!(await change.run((call) => call("PUT", "/system/llm/policy", sent)))) return;
    setDraft({});
    setDone(true);
  }
  return html`
    <section class="panel" aria-labelledby="policy-title">
      <h2 id="policy-title">Sensitivity policy</h2>
      <form onSubmit=${save}>
        ${!idle && html`<${Conflict} change=${change} revision=${inventory.revision} />`}
        <${ProblemNotice} problem=${change.problem} />
        ${done && html`<${Notice} tone="ok" alert>The policy is saved, and in force.<//>`}
        <${Ladder} value=${shown.hosted_max_tlp} onValue=${set("hosted_max_tlp")} readOnly=${readOnly} />
        <div class="policy-rest">
          <${Field} label="Who serves what may not leave">
            ${(ties) => html`
              <select ...${ties} disabled=${readOnly} value=${shown.local_backend}
                onChange=${(event) => set("local_backend")(event.target.value)}>
                <option value="auto">vLLM if it answers, else Ollama</option>
                <option value="vllm">vLLM</option>
                <option value="ollama">Ollama</option>
              </select>
            `}
          <//>
          <label class="check">
            <input type="checkbox" disabled=${readOnly} checked=${shown.require_tlp}
              onChange=${(event) => set("require_tlp")(event.target.checked)} />
            <span>Refuse requests without a label</span>
          </label>
        </div>
        ${!readOnly && html`
          <div class="form-ways">
            <button class="primary" disabled=${idle || change.busy || change.overtaken}>
              ${change.busy ? "Saving…" : "Save the policy"}
            </button>
            ${!idle && html`<button type="button" class="quiet" onClick=${() => setDraft({})}>Discard</button>`}
          </div>
        `}
      </form>
    </section>
  `;
}

/** The labels from the least to the most restricted; those up to the chosen one may leave. */
function Ladder({ value, onValue, readOnly }) {
  const name = useId("ladder");
  const highest = HIGHEST.indexOf(value);
  return html`
    <fieldset class="ladder">
      <legend>Highest label that may go to a hosted provider (TLP 2.0)</legend>
      ${HIGHEST.map((label, rank) => html`
        <label key=${label} class="rung ${rank <= highest ? "may" : "may-not"}">
          <input type="radio" name=${name} value=${label} disabled=${readOnly} checked=${label === value}
            onChange=${() => onValue(label)} />
          <span class="rung-name">${label}</span>
          <span class="rung-meaning">${MEANING[label]}</span>
          ${rank > 0 && html`
            <span class="rung-mark">
              ${rank <= highest ? html`<${Mark} tone="leaves">may leave<//>` : html`<${Mark} tone="stays">stays local<//>`}
            </span>
          `}
        </label>
      `)}
    </fieldset>
  `;
}
