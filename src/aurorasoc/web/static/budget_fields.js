// The fields of one budget: tokens, money, per day or month, and what happens beyond it.

import { html } from "./htm-preact-standalone.js";
import { AMOUNTS, amountOf, PERIODS } from "./budget_words.js";
import { Field } from "./ui.js";

/** `typed` as in `EMPTY_BUDGET`; `onType` takes what changed. */
export const BudgetFields = ({ typed, onType }) => html`
  <${AmountField} name="tokens" ...${{ typed, onType }} hint="Prompt and completion together." />
  <${AmountField} name="money" ...${{ typed, onType }} hint="By the prices that are known." />
  <${Choice}
    label="Per"
    value=${typed.per}
    options=${{ day: "Day (UTC)", month: "Calendar month (UTC)" }}
    onChoose=${(per) => onType({ per })}
  />
  <${Choice}
    label="Beyond it"
    value=${typed.hard ? "hard" : "soft"}
    options=${{ hard: "Calls are refused", soft: "A warning, once" }}
    onChoose=${(value) => onType({ hard: value === "hard" })}
  />
`;

function AmountField({ name, typed, onType, hint }) {
  const { words, write } = AMOUNTS[name];
  const amount = amountOf(typed[name]);
  const meant = amount > 0 ? `${write(amount)} ${PERIODS[typed.per]}.` : hint;
  const control = (ties) => html`
    <input
      ...${ties}
      type="text"
      inputmode="decimal"
      maxlength="24"
      autocomplete="off"
      value=${typed[name]}
      onInput=${(event) => onType({ [name]: event.target.value })}
    />
  `;
  return html`<${Field} label=${words} hint=${meant}>${control}<//>`;
}

/** A choice among a few. */
export const Choice = ({ label, value, options, onChoose, hint }) => html`
  <${Field} label=${label} hint=${hint}>
    ${(ties) => html`
      <select ...${ties} value=${value} onChange=${(event) => onChoose(event.target.value)}>
        ${Object.entries(options).map(
          ([name, words]) => html`<option key=${name} value=${name}>${words}</option>`,
        )}
      </select>
    `}
  <//>
`;
