// The numbers of usage: by key, with a small chart of each, and by key and time.

import { html, useState } from "./htm-preact-standalone.js";
import { Lane } from "./usage_chart.js";
import { countWords, scaleEnd } from "./usage_numbers.js";
import { MEASURES, mostOf, series } from "./usage_sums.js";
import { bucketName } from "./usage_times.js";
import { connectionName } from "./words.js";

const FEW = 12; // keys that are shown at first
const PAGE = 60; // rows that are shown at first
const COLUMNS = {
  calls: ["Calls", MEASURES.calls],
  failed: ["Failed", MEASURES.calls],
  prompt_tokens: ["Prompt tokens", MEASURES.tokens],
  cached_tokens: ["of them cached", MEASURES.tokens],
  completion_tokens: ["Completion tokens", MEASURES.tokens],
  cost: ["Cost", MEASURES.cost],
};

/** Who a key is; calls without one have none. */
export function keyName(by, key) {
  if (key === null || key === "") return NOBODY[by];
  return by === "connection" ? connectionName(key) : key;
}
const NOBODY = { caller: "nobody", agent: "no agent", client: "no client", tlp: "no label", model: "no model" };

/** Each key's sums, and its bars on the scale that all share. */
export function ByKey({ keys, view, measure, of, by, title }) {
  const [all, setAll] = useState(false);
  const end = scaleEnd(Math.max(...keys.map((one) => mostOf(series(one.cells, view.starts, of)))));
  const shown = all ? keys : keys.slice(0, FEW);
  return html`
    <table role="table" class="usage-table">
      <caption class="unseen">Usage by ${title.toLowerCase()}</caption>
      <thead role="rowgroup">
        <tr role="row">
          <th role="columnheader" scope="col">${title}</th>
          <th role="columnheader" scope="col">
            ${measure.words} by ${view.bucket}, up to ${measure.short(end)}
          </th>
          <${Heads} />
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${shown.map(({ key, sums, cells }) => {
          const name = keyName(by, key);
          return html`
            <tr role="row" key=${String(key)}>
              <th role="rowheader" scope="row"><span class="name">${name}</span></th>
              <td role="cell" class="lane"><${Lane} ...${{ cells, view, measure, of, end, name }} /></td>
              <${Amounts} sums=${sums} />
            </tr>
          `;
        })}
      </tbody>
    </table>
    ${keys.length > shown.length &&
    html`<${More} onMore=${() => setAll(true)}>Show all ${keys.length}<//>`}
  `;
}

/** Every row that was counted, newest first, once it is opened. */
export function ByTime({ keys, view, by, title }) {
  const [open, setOpen] = useState(false);
  const [all, setAll] = useState(false);
  const what = view.bucket === "day" ? "Day" : "Hour (UTC)";
  const rows = open ? rowsOf(keys) : [];
  const shown = all ? rows : rows.slice(0, PAGE);
  return html`
    <details class="folded" onToggle=${(event) => setOpen(event.target.open)}>
      <summary>Each ${view.bucket} in numbers</summary>
      ${open &&
      html`
        <table role="table" class="usage-table">
          <thead role="rowgroup">
            <tr role="row">
              <th role="columnheader" scope="col">${what}</th>
              <th role="columnheader" scope="col">${title}</th>
              <${Heads} />
            </tr>
          </thead>
          <tbody role="rowgroup">
            ${shown.map(
              ({ start, key, sums }) => html`
                <tr role="row" key="${start} ${key}">
                  <th role="rowheader" scope="row">${bucketName(start, view.bucket)}</th>
                  <td role="cell" data-label=${title}>${keyName(by, key)}</td>
                  <${Amounts} sums=${sums} />
                </tr>
              `,
            )}
          </tbody>
        </table>
        ${rows.length > shown.length &&
        html`<${More} onMore=${() => setAll(true)}>Show all ${rows.length} rows<//>`}
      `}
    </details>
  `;
}

const rowsOf = (keys) =>
  keys
    .flatMap(({ key, cells }) => [...cells].map(([start, sums]) => ({ key, start, sums })))
    .sort((one, other) => other.start - one.start);

const Heads = () =>
  Object.entries(COLUMNS).map(
    ([name, [words]]) =>
      html`<th role="columnheader" scope="col" class="amount" key=${name}>${words}</th>`,
  );

const Amounts = ({ sums }) =>
  Object.entries(COLUMNS).map(
    ([name, [words, measure]]) => html`
      <td role="cell" class="amount" data-label=${words} key=${name}>
        <${Amount} count=${sums[name]} measure=${measure} />
      </td>
    `,
  );

const Amount = ({ count, measure }) => html`
  <span class=${count.counted === 0 && count.missing > 0 ? "dim" : ""}>${countWords(count, measure)}</span>
`;

const More = ({ onMore, children }) => html`
  <p><button type="button" class="quiet" onClick=${onMore}>${children}</button></p>
`;
