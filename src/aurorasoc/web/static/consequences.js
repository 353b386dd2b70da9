// What a switch will change, in sentences. Pure.

import { allowed, fieldName, LABELS, list, mayBeLocal, providerName, valueName } from "./words.js";

/** Give `[{icon, text}]`: who answers, where data goes, which labels may go there. */
export function consequences(inventory, wanted, reset) {
  if (reset) {
    return [
      { icon: "info", text: "The choice, models and base URLs that were set here are dropped; the environment's are in force again." },
      { icon: "key", text: "Keys and policy stay as they are." },
    ];
  }
  const from = inventory.providers.find((row) => row.active);
  const to = inventory.providers.find((row) => row.provider === wanted.provider);
  const moves = wanted.base_url !== undefined && mayBeLocal(wanted.provider);
  return [
    { icon: "info", text: whoAnswers(from, wanted, to) },
    ...changedFields(wanted, to),
    whereDataGoes(from, to, wanted, moves),
    whichLabels(inventory.policy, to, moves),
    { icon: "wait", text: "Runs that have begun finish where they began. Nothing is restarted." },
  ];
}

function whoAnswers(from, wanted, to) {
  const before = from ? `${providerName(from.provider)} (${from.model})` : "no backend";
  if (wanted.provider === "auto") return `Instead of ${before}, vLLM answers if it is there, else Ollama.`;
  return `${providerName(to.provider)} (${wanted.model ?? to.model ?? "boot default"}) answers instead of ${before}.`;
}

function changedFields(wanted, to) {
  const fields = ["model", "orchestrator_model", "base_url"].filter((field) => wanted[field] !== undefined);
  const told = fields.map((field) => ({
    icon: "info",
    text: `${fieldName(field)}: ${valueName(to[field])} → ${valueName(wanted[field])}`,
  }));
  return wanted.api_key ? [...told, { icon: "key", text: "The key you typed is stored with it." }] : told;
}

function whereDataGoes(from, to, wanted, moves) {
  if (wanted.provider === "auto") return { icon: "stays", text: "Both are local backends; the inventory says where their addresses lead." };
  if (moves) return { icon: "info", text: "Whether data leaves this host depends on the new address; the inventory shows it." };
  const before = from?.data_leaves_host ?? false;
  if (to.data_leaves_host) {
    return { icon: "leaves", text: before ? "Data leaves this host, as it does now." : "Data will leave this host. Now it doesn't." };
  }
  return { icon: "stays", text: before ? "Data will no longer leave this host." : "Data stays local, as it does now." };
}

function whichLabels(policy, to, moves) {
  if (!to || moves || !to.data_leaves_host) {
    return { icon: "ok", text: "Data with any label may be asked about, as long as the backend is local." };
  }
  const may = allowed(policy.hosted_max_tlp);
  const not = LABELS.slice(may.length);
  const there = may.length ? `Data labelled ${list(may)} may go there` : "No labelled data may go there";
  const rest = mayBeLocal(to.provider) ? "nowhere" : "only to a local backend, or nowhere";
  const unlabelled = policy.require_tlp ? "Unlabelled data is refused." : "Unlabelled data goes there, too.";
  return { icon: "warn", text: `${there}${not.length ? `; ${list(not)} ${rest}` : ""}. ${unlabelled}` };
}
