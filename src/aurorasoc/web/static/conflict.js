// Somebody else's change, shown to whoever was about to make another.

import { html } from "./htm-preact-standalone.js";
import { Notice, When } from "./ui.js";
import { actionName, fieldName, targetName, valueName } from "./words.js";

/** Says that the form isn't on the newest revision, what came between, and offers to go on. */
export function Conflict({ change, revision }) {
  if (!change.overtaken) return null;
  return html`
    <${Notice} tone="warn" title="The configuration was changed meanwhile" alert>
      <p>
        You opened this at revision ${change.base}; revision ${revision} is in force now. What you typed
        is kept, and isn't saved over theirs unless you say so.
      </p>
      ${change.theirs?.map((entry) => html`<${Entry} key=${entry.revision} entry=${entry} />`)}
      <p class="ways">
        ${!change.theirs &&
        html`<button type="button" onClick=${change.showTheirs}>Show what they changed</button>`}
        <button type="button" onClick=${change.accept}>Continue from revision ${revision}</button>
      </p>
    <//>
  `;
}

const Entry = ({ entry }) => html`
  <p class="entry-head">
    Revision ${entry.revision} by <strong>${entry.actor}</strong>, <${When} at=${entry.at} />:${" "}
    ${actionName(entry.action)} ${targetName(entry.target)}
  </p>
  <${Differences} changes=${entry.changes} />
`;

/** Field by field: what it was, and what it is. `nothing` is what null means. */
export function Differences({ changes, nothing }) {
  const shown = (value, field) => (value === null && nothing ? nothing : valueName(value, field));
  if (changes.length === 0) {
    return html`<p class="dim">No field changed; a key may have.</p>`;
  }
  return html`
    <dl class="differences">
      ${changes.map(
        ({ field, before, after }) => html`
          <div key=${field}>
            <dt>${fieldName(field)}</dt>
            <dd>
              <del><span class="unseen">from </span>${shown(before, field)}</del>
              <span aria-hidden="true"> → </span>
              <ins><span class="unseen">to </span>${shown(after, field)}</ins>
            </dd>
          </div>
        `,
      )}
    </dl>
  `;
}
