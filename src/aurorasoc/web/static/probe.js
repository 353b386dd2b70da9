// Tests a connection over the production path, and shows what its model can do.

import { html, useRef, useState } from "./htm-preact-standalone.js";
import { call } from "./api.js";
import { keyVerdict, verdictTitle } from "./errors.js";
import { reload, report } from "./store.js";
import { Notice } from "./ui.js";
import { abilities } from "./words.js";

const NOT_TESTED = { busy: false, verdicts: [], problem: null };

/**
 * Test a connection as it is stored, or as it is typed, without saving.
 *
 * `run(bodies)` sends one request after the other, until one fails: `verdicts` is what they found,
 * `problem` why there was nothing to find. `forget()` drops them, and what is still to be sent.
 */
export function useTest(connection) {
  const [state, setState] = useState(NOT_TESTED);
  const runs = useRef(0);

  async function run(bodies) {
    const number = (runs.current += 1);
    const show = (changes) => {
      const current = number === runs.current;
      if (current) setState((before) => ({ ...before, ...changes }));
      return current;
    };
    setState({ ...NOT_TESTED, busy: true });
    try {
      await inTurn(`/system/llm/providers/${connection}/test`, bodies, show);
    } catch (problem) {
      show({ problem });
      report(problem);
    }
    show({ busy: false });
    reload(); // a test counts as a call
  }
  const forget = () => {
    runs.current += 1;
    setState(NOT_TESTED);
  };
  return { ...state, run, forget };
}

async function inTurn(path, bodies, show) {
  const verdicts = [];
  for (const body of bodies) {
    verdicts.push(await call("POST", path, { body }));
    const current = show({ verdicts: [...verdicts] });
    if (!current || !verdicts.at(-1).ok) return;
  }
}

/** The verdict in words. */
export const Verdict = ({ verdict }) => html`
  <${Notice} tone=${verdict.ok ? "ok" : "bad"} title=${verdictTitle(verdict)} alert>
    ${verdict.detail} It took ${verdict.latency_ms} ms. ${keyVerdict(verdict)}${" "}
    ${abilities(verdict.capabilities)}
  <//>
`;
