// The link that `aurorasoc dev` prints carries a token behind `#`, a part that no browser sends.
// This script is the document's first and imports nothing, so the token leaves the address before
// anything else runs.

const CARRIED = /^#token=(.*)$/;

let waiting = leaveAddress();
let receive = null;

window.addEventListener("hashchange", () => {
  const token = leaveAddress();
  if (token !== null) receive?.(token);
});

/** Take the token out of the address; return it, or null where the address carries none. */
function leaveAddress() {
  const token = CARRIED.exec(location.hash)?.[1];
  if (token === undefined) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return token;
}

/** Hand each link's token to one receiver, and to nobody else; return how to end that. */
export function onLink(receiver) {
  receive = receiver;
  const token = waiting;
  waiting = null;
  if (token !== null) receiver(token);
  return () => receive === receiver && (receive = null);
}
