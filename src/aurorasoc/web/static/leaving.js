// Closing a form in which something was typed asks first.

import { html } from "./htm-preact-standalone.js";
import { Notice } from "./ui.js";

export const Leaving = ({ onStay, onLeave }) => html`
  <${Notice} tone="warn" title="You have typed something that isn't saved" alert>
    <p class="ways">
      <button type="button" onClick=${onStay}>Keep editing</button>
      <button type="button" onClick=${onLeave}>Discard and close</button>
    </p>
  <//>
`;
