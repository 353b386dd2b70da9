// What was called, by whom, and what it cost: a chart over time, and the numbers beside it.

import { html, useState } from "./htm-preact-standalone.js";
import { call } from "./api.js";
import { useReading } from "./reading.js";
import { Field, ProblemNotice } from "./ui.js";
import { TotalChart } from "./usage_chart.js";
import { compactMoney, exact } from "./usage_numbers.js";
import { MEASURES, summarise } from "./usage_sums.js";
import { ByKey, ByTime } from "./usage_tables.js";
import { bucketsOf, SPANS } from "./usage_times.js";

const KEYS = {
  connection: "Connection",
  model: "Model",
  agent: "Agent",
  client: "Client",
  caller: "Caller",
  tlp: "Label",
};
const nameList = (words) => Object.entries(words);

/** Read again with each `minute`; `now()` asks for the next one at once. */
export function Usage({ minute, now }) {
  const [span, setSpan] = useState("month");
  const [by, setBy] = useState("connection");
  const [of, setOf] = useState("tokens");
  const { value, problem } = useReading(() => readUsage(span, by), [span, by, minute]);
  return html`
    <section class="panel usage" aria-labelledby="usage-title">
      <div class="panel-head">
        <h2 id="usage-title">Usage</h2>
        <div class="choices">
          <${Choice} label="Time" value=${span} onChoose=${setSpan} names=${SPAN_NAMES} />
          <${Choice} label="By" value=${by} onChoose=${setBy} names=${nameList(KEYS)} />
          <${Choice} label="Show" value=${of} onChoose=${setOf} names=${MEASURE_NAMES} />
          <button
            type="button"
            class="quiet"
            aria-label="Refresh usage, budgets and clients"
            onClick=${now}
          >
            Refresh
          </button>
        </div>
      </div>
      <${ProblemNotice} problem=${problem} />
      ${value ? html`<${Shown} ...${{ value, of }} />` : !problem && html`<p class="empty">Reading…</p>`}
    </section>
  `;
}

const SPAN_NAMES = nameList(SPANS).map(([name, { words }]) => [name, words]);
const MEASURE_NAMES = nameList(MEASURES).map(([name, { words }]) => [name, words]);

async function readUsage(span, by) {
  const view = bucketsOf(span, Date.now());
  const query = new URLSearchParams({ from: view.from, to: view.to, by, bucket: view.bucket });
  const { rows } = await call("GET", `/usage?${query}`);
  return { rows, view, by, words: SPANS[span].words, at: new Date() };
}

function Shown({ value, of }) {
  const { rows, view, by, words, at } = value;
  const measure = MEASURES[of];
  const { total, keys, cells } = summarise(rows, of);
  if (keys.length === 0) {
    return html`<p class="empty">Nobody called a model in this time (${words.toLowerCase()}).</p>`;
  }
  return html`
    <p class="lead">
      ${words}: ${totalWords(total)}. <span class="as-of">As of ${at.toLocaleTimeString()}.</span>
    </p>
    <${TotalChart} ...${{ cells, view, measure, of }} />
    <${ByKey} ...${{ keys, view, measure, of, by }} title=${KEYS[by]} />
    <${ByTime} ...${{ keys, view, by }} title=${KEYS[by]} />
  `;
}

/** "120 calls, 4 failed; 1,234 tokens (not counted: 2 calls); $1.20 (no known price: 7 calls)" */
function totalWords({ calls, failed, tokens, cost, uncounted, unpriced }) {
  const counted = tokens.counted > 0 ? `${exact(tokens.known)} tokens` : "tokens not counted";
  const paid = cost.counted > 0 ? compactMoney(cost.known) : "cost not known";
  const of = ({ known }, words) => (known > 0 ? ` (${words}: ${exact(known)} call${known === 1 ? "" : "s"})` : "");
  return [
    `${exact(calls.known)} calls, ${exact(failed.known)} failed`,
    `${counted}${of(uncounted, "not counted")}`,
    `${paid}${of(unpriced, "no known price")}`,
  ].join("; ");
}

const Choice = ({ label, value, names, onChoose }) => html`
  <${Field} label=${label}>
    ${(ties) => html`
      <select ...${ties} value=${value} onChange=${(event) => onChoose(event.target.value)}>
        ${names.map(([name, words]) => html`<option key=${name} value=${name}>${words}</option>`)}
      </select>
    `}
  <//>
`;
