// The choice of a service for a new connection, and what is to be known of it.

import { html } from "./htm-preact-standalone.js";
import { Field } from "./ui.js";
import { kindName } from "./words.js";

const KINDS = ["openai", "anthropic", "deepseek", "gemini", "vllm", "ollama"];

export function ServiceField({ services, service, onChoose }) {
  const choose = (event) => {
    const chosen = event.target.value;
    onChoose(services.find(({ label }) => label === chosen) ?? { provider: chosen, name: chosen });
  };
  const control = (ties) => html`
    <select ...${ties} value=${service?.label ?? service?.provider ?? ""} onChange=${choose}>
      <option value="" disabled>Choose one</option>
      <optgroup label="Known services">
        ${services.map(({ label }) => html`<option key=${label} value=${label}>${label}</option>`)}
      </optgroup>
      <optgroup label="A provider, at an address of your own">
        ${KINDS.map((kind) => html`<option key=${kind} value=${kind}>${kindName(kind)}</option>`)}
      </optgroup>
    </select>
  `;
  return html`<${Field} label="Service">${control}<//>`;
}

/** What is peculiar, and where the vendor says more. These links are the only ones that lead away. */
export function ServiceNote({ service }) {
  if (!service.label) return null;
  return html`
    <p class="hint">
      ${marked(service.peculiar)} Used as ${kindName(service.provider)}.${" "}
      <${Away} to=${service.docs}>Documentation<//>
      ${service.key_page && html`, <${Away} to=${service.key_page}>keys<//>`}
    </p>
  `;
}

const Away = ({ to, children }) => html`
  <a href=${to} target="_blank" rel="noopener noreferrer">${children}</a>
`;

/** Text with code in backquotes. */
const marked = (text) =>
  text.split("`").map((part, index) => (index % 2 ? html`<code>${part}</code>` : part));
