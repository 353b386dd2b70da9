// What an admin types into a provider's form, against what is in force. Pure.

import { originOf } from "./words.js";

const FIELDS = ["model", "orchestrator_model", "base_url"];

export const emptyDraft = () => ({ api_key: "" }); // the other fields appear when they are typed in

/** What a field shows: what was typed, else what is in force. */
export const shown = (draft, row, field) => draft[field] ?? row[field] ?? "";

/** The fields to send: those that differ. An emptied one goes back to the boot default. */
export function changesOf(draft, row) {
  const changes = {};
  for (const field of FIELDS) {
    if (draft[field] === undefined) continue;
    const typed = draft[field].trim();
    if (typed !== (row[field] ?? "")) changes[field] = typed || null;
  }
  const key = draft.api_key.trim();
  if (key) changes.api_key = key;
  return changes;
}

/** Whether the key in force would be left behind at another origin, unless one comes along. */
export function leavesKeyBehind(draft, row) {
  const typed = draft.base_url?.trim();
  if (typed === undefined || row.key_state !== "usable") return false;
  if (typed === "") return row.sources.base_url === "runtime"; // back to the boot default
  return originOf(typed) !== originOf(row.base_url);
}

export const isDirty = (changes) => Object.keys(changes).length > 0;
export const isKeyAlone = (changes) => Object.keys(changes).join() === "api_key";
