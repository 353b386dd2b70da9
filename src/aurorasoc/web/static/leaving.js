// Closing a form in which something was typed asks first.

import { html, useState } from "./htm-preact-standalone.js";
import { Notice } from "./ui.js";
import { useUnsaved } from "./unsaved.js";

/** Close a dialog by `close`, which shows `question` first while it is dirty. */
export function useLeaving(dirty, onClose) {
  const [leaving, setLeaving] = useState(false);
  useUnsaved(dirty);
  const stay = () => setLeaving(false);
  return {
    close: () => (dirty && !leaving ? setLeaving(true) : onClose()),
    question: leaving && html`<${Leaving} onStay=${stay} onLeave=${onClose} />`,
  };
}

export const Leaving = ({ onStay, onLeave }) => html`
  <${Notice} tone="warn" title="You have typed something that isn't saved" alert>
    <p class="ways">
      <button type="button" onClick=${onStay}>Keep editing</button>
      <button type="button" onClick=${onLeave}>Discard and close</button>
    </p>
  <//>
`;
