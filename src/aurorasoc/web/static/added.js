// What is typed of a connection that is being added.

import { filledIn, freeName, placeholdersOf } from "./known.js";
import { asSent } from "./options.js";
import { mayBeLocal } from "./words.js";

export const EMPTY = { name: "", values: {}, address: "", model: "", key: "", ceiling: "", options: {} };

/** What to ask for models with: nothing of it is saved, and the connection isn't made yet. */
export function withTyped(service, draft, inventory) {
  const names = inventory.providers.map((row) => row.connection);
  const address = addressOf(service, draft) || undefined;
  const key = draft.key.trim() || undefined;
  const askable = mayBeLocal(service.provider) ? address : key && address !== null;
  const body = { provider: service.provider, base_url: address, api_key: key };
  return { connection: freeName("new", names), saved: [], askable: Boolean(askable), body };
}

/** The address as typed or filled in; null while a part of it is missing. */
export function addressOf(service, { values, address }) {
  const pattern = service.base_url ?? "";
  return placeholdersOf(pattern).length > 0 ? filledIn(pattern, values) : address.trim();
}

/** What is sent: only what was typed. */
export function bodyOf(service, draft) {
  const sent = {
    base_url: addressOf(service, draft) || undefined,
    model: draft.model.trim() || undefined,
    api_key: draft.key.trim() || undefined,
    max_tlp: draft.ceiling || undefined,
    options: asSent(draft.options) ?? undefined,
  };
  return { provider: service.provider, ...sent };
}
