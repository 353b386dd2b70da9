// What things are called on the page.

export const PROVIDERS = {
  ollama: "Ollama",
  vllm: "vLLM",
  openai: "OpenAI or compatible",
  deepseek: "DeepSeek",
  gemini: "Gemini",
  anthropic: "Anthropic",
  auto: "Automatic",
};
/** A kind of provider. */
export const kindName = (provider) => PROVIDERS[provider] ?? provider;

/** A connection: a built-in one is called as its provider is. */
export const connectionName = (name) => PROVIDERS[name] ?? name ?? "none";

export const rowOf = (inventory, name) =>
  inventory.providers.find((row) => row.connection === name);

export const isBuiltIn = (row) => row.connection === row.provider;
export const takesKey = (row) => row.provider !== "ollama";

/** Whether a kind of provider can be on the site's own networks. */
export const mayBeLocal = (provider) => ["ollama", "vllm"].includes(provider);

export const SOURCES = {
  runtime: "set here",
  env: "environment",
  default: "built in",
  database: "database",
  vault: "Vault",
};

// TLP 2.0, least restricted first.
export const LABELS = ["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"];
export const HIGHEST = ["NONE", ...LABELS];

/** The labels that may go to a hosted provider under a limit. */
export const allowed = (limit) => LABELS.slice(0, HIGHEST.indexOf(limit));

/** "CLEAR, GREEN and AMBER" */
export function list(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** "context 128,000 tokens; answers up to 16,384; $2.5 in, $10 out per million": what is known. */
export function facts(known) {
  if (!known) return "";
  const { context_window: context, max_output_tokens: answer, prices, retires_on: day } = known;
  const asked = { in: prices?.input, cached: prices?.cached_input, out: prices?.output };
  const amounts = Object.entries(asked)
    .filter(([, price]) => price)
    .map(([what, price]) => `$${price} ${what}`);
  const parts = [
    context && `context ${context.toLocaleString("en")} tokens`,
    answer && `answers up to ${answer.toLocaleString("en")}`,
    amounts.length > 0 && `${amounts.join(", ")} per million`,
    day && `retirement ${day}`,
  ];
  return parts.filter(Boolean).join("; ");
}

const FORMS = {
  json_schema: "JSON by schema",
  json_object: "JSON, its schema in the prompt",
  prompt: "JSON by the prompt alone",
  none: "no structured answers",
};
const ABILITIES = {
  stream: ["streams", "no streams"],
  tools: ["tools", "no tools"],
  system_role: ["a system role", "no system role"],
  temperature: ["a temperature", "no temperature"],
  counts_tokens: ["counted tokens", "tokens not counted"],
};

const TOLD = new Set(["json_object", "json_schema", "system_role", "temperature"]);

/** "Known of the model: JSON by schema, streams and tools." What isn't known is left out. */
export function abilities(capabilities) {
  if (!capabilities) return "";
  const known = Object.entries(ABILITIES)
    .filter(([name]) => capabilities[name] !== null)
    .map(([name, words]) => words[capabilities[name] ? 0 : 1]);
  const form = FORMS[capabilities.structured_output];
  const others = (capabilities.left_out ?? []).filter((name) => !TOLD.has(name));
  const left = others.length ? ` Calls leave out what it refuses: ${others.join(", ")}.` : "";
  return `Known of the model: ${list([form, ...known].filter(Boolean))}.${left}`;
}

const ACTIONS = {
  "llm.config.changed": "Configuration changed",
  "llm.config.reset": "Back to the boot defaults",
  "llm.config.rolled_back": "Rolled back",
  "llm.budgets.changed": "Budgets changed",
  "llm.client.created": "Client made",
  "llm.client.key_rewrapped": "Clients' key re-encrypted",
  "llm.client.revoked": "Client revoked",
  "llm.client.secret_replaced": "Client's secret replaced",
  "llm.assignments.changed": "Assignments changed",
  "llm.connection.changed": "Connection changed",
  "llm.connection.deleted": "Connection deleted",
  "llm.hosted.stopped": "Hosted traffic stopped",
  "llm.hosted.allowed": "Hosted traffic allowed",
  "llm.policy.changed": "Policy changed",
  "llm.key.set": "Key stored",
  "llm.key.deleted": "Key removed",
  "llm.key.intended": "Key change started",
  "llm.key.abandoned": "Key change abandoned",
  "llm.key.changed_in_vault": "Key changed in Vault",
  "llm.key.moved_to_vault": "Key moved to Vault",
  "llm.key.resealed": "Key re-encrypted",
  "llm.test.started": "Test started",
  "llm.test.finished": "Test finished",
  "access.denied": "Access denied",
  "tlp.refused": "Refused by label",
  "audit.key.rewrapped": "Audit key re-encrypted",
};
export const actionName = (action) => ACTIONS[action] ?? action;
export const targetName = (target) => (target === "llm" ? "" : (PROVIDERS[target] ?? target));

const FIELDS = {
  api_key: "key",
  backend: "active connection",
  base_url: "base URL",
  fallbacks: "fallbacks",
  hosted_max_tlp: "highest label for hosted providers",
  local_backend: "local backend",
  max_tlp: "its own ceiling",
  model: "specialist model",
  on_refusal: "after a refusal",
  orchestrator_model: "orchestrator model",
  require_tlp: "label required",
};

/** "providers.deepseek.base_url" → "DeepSeek, base URL" */
export function fieldName(path) {
  const [part, ...rest] = path.split(".");
  const last = FIELDS[rest.at(-1) ?? part] ?? rest.at(-1) ?? part;
  if (part === "providers") return `${connectionName(rest[0])}, ${last.replaceAll("_", " ")}`;
  if (part === "hosted_traffic") return `hosted traffic, ${last}`;
  if (part === "budgets") return `budget, ${last}`;
  if (part === "clients") return `client ${rest[0]}, ${last.replaceAll("_", " ")}`;
  if (part === "assignments") return `${rest[1]}, ${last}`;
  return last;
}

const WITHOUT_DEFAULT = ["assignments", "budgets", "clients", "hosted_traffic"];

/** A value in words; null is the boot default, where `path` names a field that has one. */
export function valueName(value, path = "") {
  if (value === null) return WITHOUT_DEFAULT.includes(path.split(".")[0]) ? "none" : "boot default";
  if (Array.isArray(value)) return value.map(connectionName).join(", ") || "none";
  if (typeof value === "object") return JSON.stringify(value);
  return typeof value === "boolean" ? (value ? "yes" : "no") : value;
}

/** The origin of an address (scheme, host, port); null where it isn't one. */
export function originOf(address) {
  try {
    return new URL(address).origin;
  } catch {
    return null;
  }
}
