// An address as the service understands it, shown while it is typed. The rules are the service's.

import { html, useEffect, useState } from "./htm-preact-standalone.js";
import { call } from "./api.js";
import { report, useAnswering } from "./store.js";
import { Field } from "./ui.js";

const PAUSE = 150; // ms without a keystroke before the service is asked
const NOTHING = { base_url: null, calls_to: null, refused: "" };

/** What a typed address means: `base_url` and `calls_to`, or why it can't be used, in `refused`. */
export function useAddress(provider, text) {
  const typed = text.trim();
  const of = `${provider} ${typed}`;
  const answering = useAnswering();
  const [answer, setAnswer] = useState({ of: "", ...NOTHING });
  useEffect(() => {
    if (!typed || !answering) return;
    const ending = new AbortController();
    const ask = () =>
      read({ provider, base_url: typed }, ending.signal).then(
        (understood) => setAnswer({ of, ...NOTHING, ...understood }),
        (problem) => problem.name !== "AbortError" && report(problem),
      );
    const timer = setTimeout(ask, PAUSE);
    return () => (clearTimeout(timer), ending.abort());
  }, [of, answering]);
  return answer.of === of ? answer : NOTHING;
}

async function read(body, signal) {
  try {
    return await call("POST", "/system/llm/address", { body, signal });
  } catch (problem) {
    if (problem.status !== 422) throw problem;
    return { refused: problem.detail.replace(/^base_url /, "The address ") };
  }
}

/** Where calls will go, or why they can't; read out, too, once typing pauses. */
export const CallsTo = ({ address: { calls_to: url, refused } }) => html`
  <span class="calls-to" role="status">
    ${url && html`Calls will go to <code>${url}</code>`}
    ${refused && html`<span class="warn">${refused}</span>`}
  </span>
`;

/** The field for a base URL, and below it what that means. */
export function AddressInput({ hint, tone, value, address, onType, required }) {
  const control = (ties) => html`
    <input
      ...${ties}
      type="text"
      inputmode="url"
      maxlength="2048"
      autocomplete="off"
      autocapitalize="off"
      spellcheck=${false}
      required=${required}
      value=${value}
      onInput=${(event) => onType(event.target.value)}
    />
  `;
  const text = html`<${CallsTo} address=${address} /> ${hint}`;
  return html`<${Field} label="Base URL" hint=${text} tone=${tone}>${control}<//>`;
}
