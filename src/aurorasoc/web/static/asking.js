// Before a policy, a ceiling or an address is saved: what becomes allowed, what no longer is, where
// data moves; and a question.

import { html } from "./htm-preact-standalone.js";
import { Conflict } from "./conflict.js";
import { compare, compareAnswers, compareOrders, differentAskers, explainAll } from "./explanations.js";
import { Icon } from "./icons.js";
import { useReading } from "./reading.js";
import { useStore } from "./store.js";
import { Modal, ProblemNotice } from "./ui.js";

const SAVE = ["Save", "Saving…"];

/**
 * `planned` is what would be saved, as `explain` takes it; `moves` a sentence of where data moves;
 * `change` a `useChange`, by which `onConfirm` saves it; `verb` what that is called.
 */
export function Asking({ title, planned, moves, change, verb = SAVE, onConfirm, onClose }) {
  const { inventory } = useStore();
  const { value, problem } = useReading(
    () => readDifferences(inventory, planned),
    [inventory.revision],
  );
  const differences = problem ? null : value;
  const blocked = !differences || change.busy || change.overtaken;
  const footer = html`
    <button type="button" class="primary" disabled=${blocked} onClick=${onConfirm}>
      ${verb[Number(change.busy)]}
    </button>
    <button type="button" onClick=${onClose}>Back</button>
  `;
  return html`
    <${Modal} title=${title} onClose=${onClose} footer=${footer}>
      <${ProblemNotice} problem=${change.problem ?? problem} />
      <${Conflict} change=${change} revision=${inventory.revision} />
      ${moves &&
      html`<ul class="consequences"><li><${Icon} name="info" /> <span>${moves}</span></li></ul>`}
      ${differences
        ? (differences.length > 0 || !moves) && html`<${Differences} of=${differences} />`
        : !problem && html`<p class="empty">Comparing where each label may go…</p>`}
    <//>
  `;
}

function Differences({ of: differences }) {
  if (differences.length === 0) return html`<p>Every label goes where it goes now.</p>`;
  return html`
    <ul class="consequences">
      ${differences.map(
        ({ key, icon, text }) => html`
          <li key=${key}><${Icon} name=${icon} /> <span>${text}</span></li>
        `,
      )}
    </ul>
  `;
}

async function readDifferences(inventory, planned) {
  const read = async ({ name, who }) => {
    const [before, after] = await Promise.all([explainAll(who), explainAll(who, planned)]);
    return { name, before, after };
  };
  const all = await Promise.all(differentAskers(inventory).map(read));
  return [
    ...compare(all[0].before, all[0].after),
    ...all.flatMap(({ name, before, after }) => compareAnswers(name, before, after)),
    ...all.flatMap(({ name, before, after }) => compareOrders(name, before, after)),
    ...ofRefusals(planned.policy?.on_refusal),
  ];
}

const REFUSALS = {
  fail: "What a hosted model refuses is the answer; nobody else is asked.",
  local: "What a hosted model refuses, or its filter blocks, is asked of the local backend, once.",
};
const ofRefusals = (chosen) =>
  chosen ? [{ key: "refusals", icon: "info", text: REFUSALS[chosen] }] : [];
