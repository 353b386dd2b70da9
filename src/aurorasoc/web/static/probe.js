// Tests a connection over the production path, and shows what its model can do.

import { html, useState } from "./htm-preact-standalone.js";
import { call } from "./api.js";
import { keyVerdict, verdictTitle } from "./errors.js";
import { reload, report } from "./store.js";
import { Notice } from "./ui.js";
import { abilities } from "./words.js";

const NOT_TESTED = { busy: false, verdict: null, problem: null };

/** Test what is stored: `verdict` is what was found, `problem` why there was nothing to find. */
export function useTest(connection) {
  const [state, setState] = useState(NOT_TESTED);
  async function test() {
    setState({ ...NOT_TESTED, busy: true });
    try {
      const verdict = await call("POST", `/system/llm/providers/${connection}/test`, { body: {} });
      setState({ ...NOT_TESTED, verdict });
      reload(); // it counts as a call
    } catch (problem) {
      setState({ ...NOT_TESTED, problem });
      report(problem);
    }
  }
  return { ...state, test, forget: () => setState(NOT_TESTED) };
}

/** The verdict in words. */
export function Verdict({ verdict }) {
  if (!verdict) return null;
  return html`
    <${Notice} tone=${verdict.ok ? "ok" : "bad"} title=${verdictTitle(verdict)} alert>
      ${verdict.detail} It took ${verdict.latency_ms} ms. ${keyVerdict(verdict)}${" "}
      ${abilities(verdict.capabilities)}
    <//>
  `;
}
