// A record that is read page by page, newest first.

import { useEffect, useState } from "./htm-preact-standalone.js";
import { call } from "./api.js";
import { report, useAnswering } from "./store.js";

const LENGTH = 8;

/** Read `name` at `path`: the first page anew with each revision, and older ones when asked. */
export function usePages(path, name, revision) {
  const [state, setState] = useState({ entries: [], more: null, problem: null });
  const answering = useAnswering();

  async function read(before) {
    try {
      const from = before ? `&before=${before}` : "";
      const page = await call("GET", `${path}?limit=${LENGTH}${from}`);
      setState(({ entries }) => ({
        entries: before ? [...entries, ...page[name]] : page[name],
        more: page.next_before,
        problem: null,
      }));
    } catch (problem) {
      setState((had) => ({ ...had, problem }));
      report(problem);
    }
  }

  useEffect(() => {
    if (answering) read();
  }, [revision, answering]);
  return { ...state, older: () => read(state.more), again: () => read() };
}
