// Stopping all hosted traffic, asked once, and allowing it again with a reason.

import { html, useState } from "./htm-preact-standalone.js";
import { call } from "./api.js";
import { useLeaving } from "./leaving.js";
import { current, may, reload, report, say } from "./store.js";
import { Field, Modal, Notice, ProblemNotice, When } from "./ui.js";
import { connectionName, list, mayBeLocal } from "./words.js";

const WAIT = 5; // seconds in which all processes should have adopted it

/** The button, while hosted traffic is allowed. */
export const StopButton = ({ inventory, onOpen }) =>
  inventory?.hosted_traffic.state === "allowed" &&
  may("users:manage") &&
  html`<button type="button" class="danger" onClick=${onOpen}>Stop all hosted traffic…</button>`;

/** Who stopped it, since when and why, on top of everything while it is stopped. */
export function StoppedBanner({ stop }) {
  const [open, setOpen] = useState(false);
  const close = () => setOpen(false);
  return html`
    ${stop.state === "stopped" && html`<${Stopped} stop=${stop} onAllow=${() => setOpen(true)} />`}
    ${open && html`<${Allow} onClose=${close} />`}
  `;
}

const Stopped = ({ stop, onAllow }) => html`
  <${Notice} tone="bad" title="Hosted traffic is stopped" alert>
    <p>
      By <strong>${stop.by ?? "somebody"}</strong>${" "}
      ${stop.since && html`<${When} at=${stop.since} />`}${stop.reason && `: ${stop.reason}`}. No
      hosted provider is called; local connections go on.
    </p>
    ${stop.here &&
    html`<p>
      A file on the service's host ${stop.everywhere ? "stops it, too" : "stops it"}. Remove it there:${" "}
      <code>aurorasoc hosted allow --here --reason …</code>
    </p>`}
    ${stop.everywhere &&
    may("users:manage") &&
    html`<button type="button" onClick=${onAllow}>Allow it again…</button>`}
  <//>
`;

/** The question, once, with what ends. */
export function StopDialog({ inventory, onClose }) {
  const change = useHostedTraffic("stopped", onClose);
  const [reason, setReason] = useState("");
  const { close, question } = useLeaving(isTyped(reason, change), onClose);
  const footer = html`
    <button type="button" class="danger" disabled=${change.busy} onClick=${() => change.run(reason)}>
      ${change.busy ? "Stopping…" : "Stop now"}
    </button>
    <button type="button" onClick=${close}>Back</button>
  `;
  return html`
    <${Modal} title="Stop all hosted traffic?" onClose=${close} footer=${footer}>
      ${question}
      <${ProblemNotice} problem=${change.problem} />
      <${Pending} names=${change.pending}>
        On their hosts,${" "}
        <code>aurorasoc hosted stop --here</code> works without the database.
      <//>
      <p>${consequences(inventory)}</p>
      <p>
        Calls and streams under way to them end at once, in every process, with those of
        investigations and agents. Tests and lists of models are refused, too. Ollama and vLLM go on,
        as long as each call is shown to stay local. It holds until somebody allows it again.
      </p>
      <${ReasonField} hint="Everybody reads it. It may stay empty." ...${{ reason, setReason }} />
    <//>
  `;
}

function Allow({ onClose }) {
  const change = useHostedTraffic("allowed", onClose);
  const [reason, setReason] = useState("");
  const { close, question } = useLeaving(isTyped(reason, change), onClose);
  const blocked = change.busy || !reason.trim();
  const footer = html`
    <button type="button" class="primary" disabled=${blocked} onClick=${() => change.run(reason)}>
      ${change.busy ? "Allowing…" : "Allow hosted traffic"}
    </button>
    <button type="button" onClick=${close}>Back</button>
  `;
  return html`
    <${Modal} title="Allow hosted traffic again?" onClose=${close} footer=${footer}>
      ${question}
      <${ProblemNotice} problem=${change.problem} />
      <${Pending} names=${change.pending} />
      <p>Labels and ceilings hold as before. What was ended isn't taken up again.</p>
      <${ReasonField} hint="It is needed, and everybody reads it." ...${{ reason, setReason }} />
    <//>
  `;
}

/** Whether a reason stands there that nobody was told yet. */
const isTyped = (reason, { pending }) => reason.trim() !== "" && pending.length === 0;

const Pending = ({ names, children }) =>
  names.length > 0 &&
  html`
    <${Notice} tone="warn" title="Not in force everywhere yet" alert>
      These processes haven't adopted it: ${list(names)}. ${children}
    <//>
  `;

const ReasonField = ({ hint, reason, setReason }) => html`
  <${Field} label="Reason" hint=${hint}>
    ${(ties) => html`
      <input
        ...${ties}
        type="text"
        maxlength="500"
        autocomplete="off"
        value=${reason}
        onInput=${(event) => setReason(event.target.value)}
      />
    `}
  <//>
`;

/** Sent without a revision: nobody else's change may stand in the way of a stop. */
function useHostedTraffic(state, onDone) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const [pending, setPending] = useState([]);

  async function run(reason) {
    setBusy(true);
    setProblem(null);
    const body = { state, reason: reason.trim() || null };
    try {
      const path = `/system/llm/hosted-traffic?wait=${WAIT}`;
      const { adoption } = await call("PUT", path, { body });
      await reload();
      say(state === "stopped" ? "Hosted traffic is stopped." : released(current().inventory));
      if (adoption.adopted) onDone();
      else setPending(adoption.pending);
    } catch (error) {
      setProblem(error);
      report(error);
    } finally {
      setBusy(false);
    }
  }

  return { busy, problem, pending, run };
}

const released = (inventory) =>
  inventory?.hosted_traffic.here
    ? "A file on the service's host still stops hosted traffic."
    : "Hosted traffic is allowed.";

/** "3 connections are hosted: DeepSeek, Gemini and azure-eu." */
function consequences({ providers }) {
  const ready = providers.filter((row) => row.ready && !mayBeLocal(row.provider));
  const names = ready.map((row) => connectionName(row.connection));
  if (names.length === 0) return "No hosted connection is ready, and none will be called.";
  return names.length === 1
    ? `One hosted connection is ready, and won't be called: ${names[0]}.`
    : `${names.length} hosted connections are ready, and won't be called: ${list(names)}.`;
}
