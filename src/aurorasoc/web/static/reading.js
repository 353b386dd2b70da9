// What a view reads for itself, beside the inventory.

import { useEffect, useState } from "./htm-preact-standalone.js";
import { current, report, useAnswering } from "./store.js";

const MINUTE = 60_000;

/**
 * Read by `read()`: at once, again whenever one of `reasons` changes, and once a lost connection or
 * an ended sign-in is back.
 *
 * `value` is what was read last, `problem` why the latest reading failed.
 */
export function useReading(read, reasons) {
  const [state, setState] = useState({ value: null, problem: null });
  const answering = useAnswering();
  useEffect(() => {
    if (!answering) return;
    let current = true;
    read().then(
      (value) => current && setState({ value, problem: null }),
      (problem) => current && (setState((had) => ({ ...had, problem })), report(problem)),
    );
    return () => (current = false);
  }, [...reasons, answering]);
  return state;
}

/**
 * Count minutes: a reason to read again each minute while the page is seen, when it is seen again
 * after one, and by `now()`.
 */
export function useMinutes() {
  const [minute, setMinute] = useState(0);
  const now = () => setMinute((count) => count + 1);
  useEffect(() => {
    let last = Date.now();
    const tick = () => {
      const seen = document.visibilityState === "visible" && !current().expired;
      if (!seen || Date.now() - last < MINUTE) return;
      last = Date.now();
      now();
    };
    const timer = setInterval(tick, MINUTE / 4);
    document.addEventListener("visibilitychange", tick);
    return () => (clearInterval(timer), document.removeEventListener("visibilitychange", tick));
  }, []);
  return { minute, now };
}
