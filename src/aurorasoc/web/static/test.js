// Asking a provider's model for a word, on the path that production uses.

import { html, useState } from "./htm-preact-standalone.js";
import { call } from "./api.js";
import { keyVerdict, verdictTitle } from "./errors.js";
import { reload, report } from "./store.js";
import { Notice } from "./ui.js";

/** Test what is stored: `verdict` is what was found, `problem` why there was nothing to find. */
export function useTest(provider) {
  const [state, setState] = useState({ busy: false, verdict: null, problem: null });
  async function test() {
    setState({ busy: true, verdict: null, problem: null });
    try {
      const verdict = await call("POST", `/system/llm/providers/${provider}/test`, { body: {} });
      setState({ busy: false, verdict, problem: null });
      reload(); // it counts as a call
    } catch (problem) {
      setState({ busy: false, verdict: null, problem });
      report(problem);
    }
  }
  return { ...state, test };
}

/** The verdict in words. */
export function Verdict({ verdict }) {
  if (!verdict) return null;
  return html`
    <${Notice} tone=${verdict.ok ? "ok" : "bad"} title=${verdictTitle(verdict)} alert>
      ${verdict.detail} It took ${verdict.latency_ms} ms. ${keyVerdict(verdict)}
    <//>
  `;
}
