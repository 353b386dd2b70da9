// Leaving the page asks first while something typed would be lost, or a token: neither is ever kept
// in storage.

import { useLayoutEffect } from "./htm-preact-standalone.js";
import { HOST_SIGNS_IN } from "./api.js";
import { current } from "./store.js";

let forms = 0; // in which something is typed that isn't saved

/** Count a form while something in it isn't saved. */
export function useUnsaved(dirty) {
  useLayoutEffect(() => {
    if (!dirty) return undefined;
    forms += 1;
    return () => void (forms -= 1);
  }, [dirty]);
}

const signsOut = () => !HOST_SIGNS_IN && current().phase === "signed-in";

window.addEventListener("beforeunload", (event) => {
  if (forms > 0 || signsOut()) event.preventDefault();
});
