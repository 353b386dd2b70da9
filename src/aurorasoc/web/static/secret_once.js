// A secret that is shown once: it is copied now, or lost. It is in this dialog's memory only.

import { html, useRef, useState } from "./htm-preact-standalone.js";
import { Field, Modal, Notice } from "./ui.js";
import { useUnsaved } from "./unsaved.js";

export function SecretOnce({ name, secret, onClose }) {
  const field = useRef(null);
  const [copied, setCopied] = useState(null); // null: not yet; true; false: the browser didn't let us
  const [leaving, setLeaving] = useState(false);
  useUnsaved(!copied);
  const close = () => (copied || leaving ? onClose() : setLeaving(true));
  async function copy() {
    field.current.select();
    try {
      await navigator.clipboard.writeText(secret); // only where the page is served over https
      setCopied(true);
    } catch {
      setCopied(false);
    }
  }
  const footer = html`
    <button type="button" class="primary" onClick=${onClose}>I have stored it</button>
  `;
  return html`
    <${Modal} title="The secret of ${name}" onClose=${close} footer=${footer}>
      <${Notice} tone="warn" title="It is shown once">
        Store it where the client reads it. It can't be shown again; a lost one is replaced by a new one.
      <//>
      ${leaving && html`<${Leaving} onStay=${() => setLeaving(false)} onLeave=${onClose} />`}
      <${Field} label="Secret" hint="Sent as a bearer token: Authorization: Bearer aur_…">
        ${(ties) => html`
          <span class="once">
            <input
              ...${ties}
              ref=${field}
              type="text"
              readonly
              autocomplete="off"
              spellcheck=${false}
              value=${secret}
              onFocus=${(event) => event.target.select()}
            />
            <button type="button" onClick=${copy}>Copy</button>
          </span>
        `}
      <//>
      <p class="hint" role="status">${COPIED.get(copied)}</p>
    <//>
  `;
}

const COPIED = new Map([
  [null, ""],
  [true, "Copied. Other programs may read the clipboard: paste it, then copy something else."],
  [false, "The browser doesn't let the page copy here. It is selected: press Ctrl+C or ⌘C."],
]);

const Leaving = ({ onStay, onLeave }) => html`
  <${Notice} tone="warn" title="The secret hasn't been copied" alert>
    <p class="ways">
      <button type="button" onClick=${onStay}>Show it on</button>
      <button type="button" onClick=${onLeave}>Close all the same</button>
    </p>
  <//>
`;
