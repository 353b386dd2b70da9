// What an admin types into a connection's form, against what is in force. Pure.

import { asSent, asTyped } from "./options.js";
import { list, originOf } from "./words.js";

const FIELDS = ["model", "orchestrator_model", "base_url", "max_tlp"];
const OF_A_CALL = ["model", "orchestrator_model", "base_url", "api_key"]; // or a test

export const emptyDraft = () => ({ api_key: "" }); // the other fields appear when they are typed in

/** What a field shows: what was typed, else what is in force. */
export const shown = (draft, row, field) => draft[field] ?? row[field] ?? "";

/** The options that are shown: what was typed, else what is in force. */
export const shownOptions = (draft, row) => draft.options ?? asTyped(row.options);

/** The fields to send: those that differ. An emptied one goes back to the boot default. */
export function changesOf(draft, row) {
  const changes = {};
  for (const field of FIELDS) {
    if (draft[field] === undefined) continue;
    const typed = draft[field].trim();
    if (typed !== (row[field] ?? "")) changes[field] = typed || null;
  }
  const options = asSent(shownOptions(draft, row));
  const before = asSent(asTyped(row.options));
  if (JSON.stringify(options) !== JSON.stringify(before)) changes.options = options;
  const key = draft.api_key.trim();
  if (key) changes.api_key = key;
  return changes;
}

/**
 * Whether the key in force would be left behind at another origin, unless one comes along. `meant` is
 * how the service understands the typed address, once it has said.
 */
export function leavesKeyBehind(draft, row, meant) {
  const typed = draft.base_url?.trim();
  if (typed === undefined || row.key_state !== "usable") return false;
  if (typed === "") return row.sources.base_url === "runtime"; // back to the boot default
  return originOf(meant ?? typed) !== originOf(row.base_url);
}

/**
 * Where data of a connection in use goes then, in a sentence; empty where it doesn't move. `meant` is
 * the address as the service understands what was typed.
 */
export function movesOf({ base_url: typed }, row, uses, meant) {
  if (typed === undefined || uses.length === 0) return "";
  const to = typed === null ? "its boot default" : originOf(meant ?? typed);
  if (to === originOf(row.base_url)) return "";
  return `Its data goes to ${to ?? typed} from now on, not to ${originOf(row.base_url)}. It is used by ${list(uses)}.`;
}

export const isDirty = (changes) => Object.keys(changes).length > 0;
export const isKeyAlone = (changes) => Object.keys(changes).join() === "api_key";

/** Whether a switch takes all of it along; a ceiling and options are saved before. */
export const fitsASwitch = (changes) =>
  Object.keys(changes).every((name) => OF_A_CALL.includes(name));

/** The bodies of the tests of what is typed: the orchestrator's model, too, where it is another. */
export function testsOf(changes, row) {
  const sent = OF_A_CALL.filter((name) => name in changes);
  const typed = Object.fromEntries(sent.map((name) => [name, changes[name]]));
  const { model = row.model, orchestrator_model: other } = changes;
  const apart = other === undefined ? row.orchestrator_model !== row.model : other !== model;
  const roles = apart ? ["specialist", "orchestrator"] : ["specialist"];
  return roles.map((role) => ({ role, ...typed }));
}

/** Whether a call could be made with it: there is a model, and a key where one is needed. */
export function isTestable(changes, row) {
  const model = changes.model === undefined ? row.model : changes.model;
  return Boolean(model) && (!row.needs_key || row.key_present || Boolean(changes.api_key));
}
