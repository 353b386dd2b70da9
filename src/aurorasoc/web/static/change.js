// A change in the making: sent with If-Match, and never over somebody else's.

import { useState } from "./htm-preact-standalone.js";
import { call } from "./api.js";
import { current, reload, report, useStore } from "./store.js";

const SHOWN = 5; // revisions of somebody else's that are spelled out

/**
 * Hold a form to the revision that it was opened on, or to `start`.
 *
 * `run(send)` gives `send` a `call(method, path, body)`, and returns its answer, or null after a
 * refusal, which then stands in `problem`. `overtaken` tells that another revision is in force by
 * now, and `theirs` what it changed, once that was read. `accept()` goes on from there.
 */
export function useChange(start) {
  const { inventory, problem: ofPage } = useStore();
  const [base, setBase] = useState(start ?? inventory.revision);
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState(null);
  const [theirs, setTheirs] = useState(null);

  async function run(send) {
    setBusy(true);
    setRefused(null);
    try {
      const answer = await send((method, path, body) =>
        call(method, path, { body, ifMatch: base }),
      );
      await reload();
      setBase(answer.revision);
      return answer;
    } catch (problem) {
      setRefused(problem);
      report(problem);
      if (problem.status === 412) await showTheirs();
      else if ([502, 504].includes(problem.status)) reload(); // the test first was a call
      return null;
    } finally {
      setBusy(false);
    }
  }

  async function showTheirs() {
    await reload();
    setTheirs(await changesSince(base).catch(() => []));
  }

  function accept() {
    setBase(current().inventory.revision);
    setTheirs(null);
    setRefused(null);
  }

  const problem = refused?.status === 0 ? ofPage : refused; // a lost connection may be back
  const overtaken = !busy && inventory.revision > base;
  return { base, busy, problem, theirs, overtaken, run, showTheirs, accept };
}

/** Read what was changed after a revision, newest first. */
async function changesSince(base) {
  const { revisions } = await call("GET", `/system/llm/history?limit=${SHOWN}`);
  const newer = revisions.filter((entry) => entry.revision > base);
  return Promise.all(newer.map((entry) => call("GET", `/system/llm/history/${entry.revision}`)));
}
