// Which label may go where: a table of labels and connections, and the reasons in words.

import { html, useState } from "./htm-preact-standalone.js";
import { ASKED, askersOf, explainAll, labelName, standing, STATES } from "./explanations.js";
import { Icon } from "./icons.js";
import { useReading } from "./reading.js";
import { Field, Mark, ProblemNotice } from "./ui.js";
import { connectionName } from "./words.js";

export function Labels({ inventory }) {
  const askers = askersOf(inventory);
  const [name, setName] = useState(askers[0].name);
  const [label, setLabel] = useState(0); // its place in ASKED
  const asker = askers.find((one) => one.name === name) ?? askers[0];
  const { who } = asker;
  const reasons = [inventory.revision, who.role, who.agent];
  const { value: explained, problem } = useReading(() => explainAll(who), reasons);
  return html`
    <section class="panel" aria-labelledby="labels-title">
      <div class="panel-head">
        <h2 id="labels-title">Where each label goes</h2>
        <${AskerField} ...${{ askers, name: asker.name }} onChoose=${setName} />
      </div>
      <${ProblemNotice} problem=${problem} />
      ${explained &&
      html`
        <${LabelTable} ...${{ inventory, explained }} />
        <${LabelField} label=${label} onChoose=${setLabel} />
        <${Reasons} of=${explained[label]} asker=${asker.name} />
      `}
    </section>
  `;
}

const AskerField = ({ askers, name, onChoose }) => html`
  <${Field} label="Asked by">
    ${(ties) => html`
      <select ...${ties} value=${name} onChange=${(event) => onChoose(event.target.value)}>
        ${askers.map((one) => html`<option key=${one.name} value=${one.name}>${one.name}</option>`)}
      </select>
    `}
  <//>
`;

const LabelTable = ({ inventory, explained }) => html`
  <table role="table" class="label-table">
    <thead role="rowgroup">
      <tr role="row">
        <th role="columnheader" scope="col">Connection</th>
        ${ASKED.map(
          (asked) => html`
            <th role="columnheader" scope="col" key=${labelName(asked)}>${labelName(asked)}</th>
          `,
        )}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${inventory.providers.map(
        ({ connection }) => html`
          <tr role="row" key=${connection}>
            <th role="rowheader" scope="row"><span class="name">${connectionName(connection)}</span></th>
            ${ASKED.map(
              (asked, index) => html`
                <${Cell} key=${labelName(asked)} label=${asked} of=${standing(explained[index], connection)} />
              `,
            )}
          </tr>
        `,
      )}
    </tbody>
  </table>
`;

function Cell({ label, of: { state, role, why } }) {
  const { icon, word } = STATES[state];
  return html`
    <td role="cell" data-label=${labelName(label)} title=${why} class=${role === "answers" ? role : ""}>
      <${Mark} tone=${icon}>${word}<//>
      ${role && html`<span class="badge">${role}</span>`}
    </td>
  `;
}

const LabelField = ({ label, onChoose }) => html`
  <div class="label-choice">
    <${Field} label="Reasons for">
      ${(ties) => html`
        <select ...${ties} value=${label} onChange=${(event) => onChoose(Number(event.target.value))}>
          ${ASKED.map(
            (asked, index) => html`<option key=${index} value=${index}>${labelName(asked)}</option>`,
          )}
        </select>
      `}
    <//>
  </div>
`;

/** Who answers one label, and the reason for each connection, in words. */
function Reasons({ of: { answers, model, problem, allowed, refused }, asker }) {
  const who = answers
    ? `${connectionName(answers)} answers ${asker}${model ? ` with ${model}` : ""}.`
    : `Nobody answers ${asker}: ${problem.detail}`;
  const entries = [...allowed.map((one) => [one, true]), ...refused.map((one) => [one, false])];
  return html`
    <div class="reasons" aria-live="polite">
      <p><strong>${who}</strong></p>
      <dl class="differences">
        ${entries.map(
          ([{ connection, why }, may]) => html`
            <div key=${connection}>
              <dt><${Icon} name=${may ? "ok" : "off"} /> ${connectionName(connection)}</dt>
              <dd><span class="unseen">${may ? "allowed: " : "refused: "}</span>${why}</dd>
            </div>
          `,
        )}
      </dl>
    </div>
  `;
}
