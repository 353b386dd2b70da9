// Whether a connection answers, in shape and words. Ready means configured, not more.

import { html } from "./htm-preact-standalone.js";
import { failure } from "./errors.js";
import { Mark } from "./ui.js";

/** What the calls and tests of all processes show; green only while it answers everybody. */
export function Health({ of: health }) {
  const { state, since, code } = health;
  const [tone, word] = STATES[state] ?? ["off", "Not called yet"];
  if (!since) return html`<${Mark} tone=${tone}>${word}<//>`;
  const isPartly = state === "ok" && health.open_in > 0;
  return html`
    <${Mark} tone=${isPartly ? "warn" : tone}>
      ${word} since <${Since} at=${since} />${isPartly && ", not asked"}
      ${where(health)}${code && `: ${failure(code)}`}
    <//>
  `;
}

const RARELY = "Asked only now and then"; // since it was held back first, one call at a time tries it

const STATES = {
  ok: ["ok", "Answering"],
  failing: ["bad", "Failing"],
  open: ["bad", RARELY],
  probing: ["wait", `Being tried again, ${RARELY.toLowerCase()}`],
};

/** In how many processes it isn't asked for a while, where there are several. */
const where = ({ open_in: open, processes }) =>
  open > 0 && processes > 1 ? ` in ${open} of ${processes} processes` : "";

/** Since when a state lasts: the time of day, and the date unless it is today's. */
function Since({ at }) {
  const moment = new Date(at);
  const time = moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const today = moment.toDateString() === new Date().toDateString();
  const words = today ? time : `${moment.toLocaleDateString()} ${time}`;
  return html`<time datetime=${at} title=${moment.toLocaleString()}>${words}</time>`;
}
