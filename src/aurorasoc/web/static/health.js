// Whether a connection answers, in shape and words. Ready means configured, not more.

import { html } from "./htm-preact-standalone.js";
import { failure } from "./errors.js";
import { Mark } from "./ui.js";

/** What the calls and tests of all processes show; green only while it answers. */
export function Health({ of: { state, since, code } }) {
  if (state === "ok") return html`<${Mark} tone="ok">Answering since <${Since} at=${since} /><//>`;
  if (state === "failing") {
    return html`<${Mark} tone="bad">Failing since <${Since} at=${since} />: ${failure(code)}<//>`;
  }
  return html`<${Mark} tone="off">Not called yet<//>`;
}

/** Since when a state lasts: the time of day, and the date unless it is today's. */
function Since({ at }) {
  const moment = new Date(at);
  const time = moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const today = moment.toDateString() === new Date().toDateString();
  const words = today ? time : `${moment.toLocaleDateString()} ${time}`;
  return html`<time datetime=${at} title=${moment.toLocaleString()}>${words}</time>`;
}
