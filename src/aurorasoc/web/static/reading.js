// What a view reads for itself, beside the inventory.

import { useEffect, useState } from "./htm-preact-standalone.js";
import { report, useConnected } from "./store.js";

/**
 * Read by `read()`: at once, again whenever one of `reasons` changes, and once a lost connection is
 * back.
 *
 * `value` is what was read last, `problem` why the latest reading failed.
 */
export function useReading(read, reasons) {
  const [state, setState] = useState({ value: null, problem: null });
  const connected = useConnected();
  useEffect(() => {
    if (!connected) return;
    let current = true;
    read().then(
      (value) => current && setState({ value, problem: null }),
      (problem) => current && (setState((had) => ({ ...had, problem })), report(problem)),
    );
    return () => (current = false);
  }, [...reasons, connected]);
  return state;
}
