// What a switch will change, in sentences. Pure.

import { limitOf } from "./ceiling.js";
import { allowed, connectionName, fieldName, LABELS, list, mayBeLocal } from "./words.js";
import { rowOf, valueName } from "./words.js";

const FIELDS = ["model", "orchestrator_model", "base_url"];

/** Give `[{icon, text}]`: who answers, where data goes, which labels may go there. */
export function consequences(inventory, wanted) {
  const from = inventory.providers.find((row) => row.active);
  const to = rowOf(inventory, wanted.provider);
  const moves = wanted.base_url !== undefined && mayBeLocal(to?.provider);
  return [
    { icon: "info", text: whoAnswers(from, to, wanted) },
    ...(isStopped(inventory, to) ? [NOT_CALLED] : []),
    ...(inventory.active.requested === "auto" ? [NO_LONGER_AUTOMATIC] : []),
    ...changedFields(to, wanted),
    to ? whereDataGoes(from, to, moves) : BOTH_LOCAL,
    whichLabels(inventory.policy, to, moves),
    { icon: "wait", text: "Runs that have started finish where they started. Nothing is restarted." },
  ];
}

const NO_LONGER_AUTOMATIC = { icon: "info", text: "The choice is no longer automatic." };
const NOT_CALLED = {
  icon: "warn",
  text: "Hosted traffic is stopped: nothing is sent there until it is allowed again.",
};
const BOTH_LOCAL = {
  icon: "stays",
  text: "Both are local backends: the table of connections shows their addresses.",
};

const isStopped = ({ hosted_traffic: { state } }, to) =>
  state === "stopped" && to !== undefined && !mayBeLocal(to.provider);

function whoAnswers(from, to, wanted) {
  const before = from ? `${connectionName(from.connection)} (${from.model})` : "no backend";
  if (!to) return `vLLM answers instead of ${before} if it is reachable, otherwise Ollama.`;
  const model = wanted.model ?? to.model ?? "boot default";
  const name = connectionName(to.connection);
  if (to === from) return `${name} keeps answering (${model}).`;
  return `${name} (${model}) answers instead of ${before}.`;
}

function changedFields(to, wanted) {
  const told = FIELDS.filter((field) => wanted[field] !== undefined).map((field) => ({
    icon: "info",
    text: `${fieldName(field)}: ${valueName(to[field])} → ${valueName(wanted[field])}`,
  }));
  if (wanted.api_key) told.push({ icon: "key", text: "The key you typed is stored too." });
  return told;
}

function whereDataGoes(from, to, moves) {
  if (moves) {
    const text = "Whether data leaves this host depends on the new address: the table of connections shows it.";
    return { icon: "info", text };
  }
  const left = from?.data_leaves_host ?? false;
  if (to.data_leaves_host) {
    const text = left ? "Data leaves this host, as now." : "Data will leave this host.";
    return { icon: "leaves", text };
  }
  const text = left ? "Data will no longer leave this host." : "Data stays local, as now.";
  return { icon: "stays", text };
}

function whichLabels(policy, to, moves) {
  const limit = to && (to.max_tlp || !moves) ? limitOf(to, policy) : null;
  if (limit === null) {
    const text = "Data with any label may go there, as long as the backend is local.";
    return { icon: "ok", text };
  }
  const may = allowed(limit);
  const not = LABELS.slice(may.length);
  const there = may.length ? `Data labelled ${list(may)} may go there` : "No labelled data may";
  const elsewhere = mayBeLocal(to.provider) && !to.max_tlp ? "nowhere" : "only to a local backend, or nowhere";
  const rest = not.length && may.length ? `; ${list(not)} ${elsewhere}` : "";
  const unlabelled = policy.require_tlp
    ? "Unlabelled data is refused."
    : "Unlabelled data goes there, too.";
  return { icon: "warn", text: `${there}${rest}. ${unlabelled}` };
}
