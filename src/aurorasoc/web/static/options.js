// What is asked of every call on a connection: options, in a part that is folded away.

import { html } from "./htm-preact-standalone.js";
import { Field } from "./ui.js";

const NUMBERS = [
  ["temperature", "Temperature", { min: 0, max: 2, step: "any" }, "0 to 2."],
  ["max_output_tokens", "Longest answer, in tokens", { min: 1, step: 1 }, "Including its reasoning."],
  ["timeout", "Seconds for a whole answer", { min: 0.1, max: 3600, step: "any" }, "Instead of LLM_TIMEOUT."],
  [
    "first_token_timeout",
    "Seconds until the first token",
    { min: 0.1, max: 3600, step: "any" },
    "Instead of LLM_FIRST_TOKEN_TIMEOUT.",
  ],
];
const DOLLARS = { min: 0, max: 100000, step: "any" };
const PRICES = [
  ["prompt", "Price of the prompt", "US dollars for a million tokens, instead of the list price."],
  ["completion", "Price of the answer", "Including its reasoning. It goes with the prompt's."],
  ["cached", "Price of cached tokens", "Of the prompt, from the vendor's cache. Empty: as the rest of it."],
  ["cache_write", "Price of filling the cache", "Empty: as the rest of the prompt."],
].map(([name, label, hint]) => [`price.${name}`, label, DOLLARS, hint]);
const CHOICES = [
  [
    "reasoning_effort",
    "Reasoning effort",
    ["none", "minimal", "low", "medium", "high", "xhigh", "max"],
  ],
  [
    "structured_output",
    "Structured output",
    ["auto", "json_schema", "json_object", "prompt"],
  ],
];

/** A connection's options as they are typed: text by name, without those that aren't set. */
export function asTyped(options) {
  const { headers = {}, price, ...others } = options ?? {};
  const prices = Object.entries(price ?? {}).map(([name, value]) => [`price.${name}`, value]);
  const set = [...Object.entries(others), ...prices].filter(([, value]) => value !== null);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return {
    ...Object.fromEntries(set.map(([name, value]) => [name, String(value)])),
    ...(lines.length && { headers: lines.join("\n") }),
  };
}

/** The options to send, as a whole; null where none is set. */
export function asSent(typed) {
  const sent = {};
  for (const [name] of NUMBERS) if (typed[name]) sent[name] = Number(typed[name]);
  for (const [name] of CHOICES) if (typed[name]) sent[name] = typed[name];
  const price = priceIn(typed);
  if (price) sent.price = price;
  const headers = headersIn(typed.headers ?? "");
  if (headers.length) sent.headers = Object.fromEntries(headers);
  return Object.keys(sent).length ? sent : null;
}

function priceIn(typed) {
  const set = PRICES.filter(([name]) => typed[name]);
  const price = set.map(([name]) => [name.slice("price.".length), Number(typed[name])]);
  return price.length ? Object.fromEntries(price) : null;
}

const headersIn = (text) =>
  text.split("\n").filter((line) => line.trim()).map(nameAndValue);

function nameAndValue(line) {
  const [name, ...rest] = line.split(":");
  return [name.trim(), rest.join(":").trim()];
}

export function Options({ typed, onType }) {
  const set = (name) => (event) => onType({ ...typed, [name]: event.target.value });
  const count = Object.values(typed).filter(Boolean).length;
  return html`
    <details class="folded">
      <summary>Options${count > 0 && `: ${count} set`}</summary>
      <p class="hint">An empty field isn't sent.</p>
      ${[...NUMBERS, ...PRICES].map(
        ([name, label, limits, hint]) => html`
          <${Field} key=${name} label=${label} hint=${hint}>
            ${(ties) => html`
              <input
                ...${ties}
                type="number"
                ...${limits}
                value=${typed[name] ?? ""}
                onInput=${set(name)}
              />
            `}
          <//>
        `,
      )}
      ${CHOICES.map(
        ([name, label, values]) => html`
          <${Field} key=${name} label=${label}>
            ${(ties) => html`
              <select ...${ties} value=${typed[name] ?? ""} onChange=${set(name)}>
                <option value="">not set</option>
                ${values.map((value) => html`<option key=${value} value=${value}>${value}</option>`)}
              </select>
            `}
          <//>
        `,
      )}
      <${Headers} text=${typed.headers ?? ""} onInput=${set("headers")} />
    </details>
  `;
}

/** Headers by line; what was understood is said while they are typed. */
function Headers({ text, onInput }) {
  const names = headersIn(text).map(([name]) => name);
  const hint = names.length
    ? `Sent with each request: ${names.join(", ")}. They aren't kept secret.`
    : "One a line, as in X-Team: soc. They aren't kept secret: no keys here.";
  const control = (ties) => html`
    <textarea ...${ties} rows="2" spellcheck=${false} value=${text} onInput=${onInput}></textarea>
  `;
  return html`<${Field} label="Headers" hint=${hint}>${control}<//>`;
}
