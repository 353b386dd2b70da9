// When a key that was replaced or removed can be revoked at the vendor, in words. Pure.

const USES = {
  unused: "No process uses the old key any more: you can revoke it at the vendor.",
  ending:
    "Only runs that began with the old key still use it: revoke it at the vendor once they have ended.",
  in_use: "A process that hasn't adopted the change still uses the old key: don't revoke it yet.",
  unknown: "Some process may still use the old key: the fleet couldn't be read.",
};

/** Seconds to wait for the other processes, so that the answer knows of them. */
export const PATIENCE = 5;

/** What a change's answer says of the old key; empty where there was none. */
export function oldKeyText({ old_key: use, old_key_last_used_at: last }) {
  if (!use) return "";
  const when = last ? ` It was last sent ${new Date(last).toLocaleString()}.` : "";
  return `${USES[use] ?? USES.unknown}${when}`;
}
