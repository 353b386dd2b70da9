// Each refusal in words: what happened, and what to do.

const KEPT = "What you typed is still here.";
const UNCHANGED = "Nothing was changed.";

const BY_CODE = {
  no_connection: [
    "No connection to the service",
    () =>
      `A change may or may not have been made: the page shows it once the connection is ` +
      `back. ${KEPT}`,
  ],
  unauthenticated: [
    "Your sign-in had expired",
    () => `${UNCHANGED} ${KEPT} Sign in, then try again.`,
  ],
  permission_denied: [
    "You may not do this",
    (problem) => `${problem.detail} Ask an administrator for it, or sign in as someone who has it.`,
  ],
  revision_mismatch: [
    "Somebody else changed it first",
    () => `${UNCHANGED} Their change is shown below. ${KEPT}`,
  ],
  outcome_unknown: [
    "The key may or may not have been stored",
    (problem) =>
      `${problem.detail} Operation ${problem.operation_id}: it is in the audit log, ` +
      `and is resolved once the secret store answers again.`,
  ],
  secret_store_unavailable: ["The secret store doesn't answer", said],
  database_unavailable: ["The database doesn't answer", (problem) => `${problem.detail} ${KEPT}`],
  audit_unavailable: ["The audit log can't be written", said],
  connection_in_use: ["It is in use", (problem) => `${problem.detail} ${UNCHANGED}`],
  too_many_requests: ["Too many tests", (problem) => problem.detail],
  invalid_input: [
    "The input isn't valid",
    (problem) => [problem.detail, ...(problem.errors ?? []).map(spellOut), UNCHANGED].join(" "),
  ],
};

const BY_VERDICT = {
  auth_failed: "The provider refused the key",
  model_not_found: "The provider doesn't know the model",
  endpoint_not_found: "The base URL doesn't lead to the provider's API",
  context_too_long: "The prompt is too long for the model",
  context_truncated: "The provider cut the prompt to the model's context window",
  rate_limited: "The provider asks to slow down",
  quota_exceeded: "The provider's account has no quota left",
  overloaded: "The provider is overloaded or failed",
  unreachable: "The provider can't be reached",
  timeout: "The provider didn't answer in time",
  tls_error: "TLS to the provider failed",
  refused: "The model declined to answer",
  blocked: "A filter of the provider stopped the call",
  bad_response: "The provider's answer can't be used",
};

/** Give a problem's title and text. */
export function explain(problem) {
  const [title, text] = BY_CODE[problem.code] ?? byStatus(problem);
  return { title, text: text(problem) };
}

function byStatus(problem) {
  if (BY_VERDICT[problem.code]) return [BY_VERDICT[problem.code], said];
  const refused = problem.status < 500; // else something between here and there may have answered
  return [problem.title ?? "The service failed", refused ? said : unclear];
}

/** Give the title of a test's verdict. */
export const verdictTitle = (test) => (test.ok ? "It answered" : failure(test.code));

/** Say what a test code means. */
export const failure = (code) => BY_VERDICT[code] ?? `The call failed (${code})`;

/** Say what a test found of the key: an endpoint may answer whatever key it is sent. */
export function keyVerdict(test) {
  if (test.key_checked === true) return "The endpoint refused a wrong key, so it does check keys.";
  if (test.key_checked === false) return "The endpoint accepts any key, so this doesn't show that yours is right.";
  return "";
}

function said(problem) {
  return `${problem.detail} ${UNCHANGED} ${KEPT}`.trim();
}

function unclear(problem) {
  return `${problem.detail} A change may or may not have been made: check the history. ${KEPT}`;
}

function spellOut({ field, message }) {
  return `${field.replace(/^body\./, "").replaceAll("_", " ")}: ${message}.`;
}
