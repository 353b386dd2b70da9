// The REST calls. The bearer token lives in this module's memory, and nowhere else.

const root = document.documentElement.dataset;
const API = new URL(root.api, document.baseURI).href;
const TOKEN_URL = root.tokenUrl;

export const HOST_SIGNS_IN = TOKEN_URL !== "";

let token = null;

/** What was refused, as RFC 9457 says it; `status` 0 means that no answer came. */
export class Problem extends Error {
  constructor(document) {
    super(document.detail);
    this.name = "Problem";
    Object.assign(this, document);
  }
}

export function useToken(text) {
  token = text;
}

/** Take the token that the host platform's own session gives; 204 means the session is enough. */
export async function fetchHostToken() {
  const answer = await reach(TOKEN_URL, { headers: { Accept: "application/json" } });
  if (answer.status === 204) return;
  if (!answer.ok) throw await problemOf(answer);
  token = (await answer.json()).token;
}

/** Call, and give the answer's JSON. Raises a Problem. */
export async function call(method, path, { body, ifMatch, signal } = {}) {
  const answer = await open(method, path, { body, ifMatch, signal });
  return answer.json();
}

/** Call, and give the answer as it comes: for streams. Raises a Problem. */
export async function open(method, path, { body, ifMatch, signal } = {}, again = HOST_SIGNS_IN) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (ifMatch !== undefined) headers["If-Match"] = `"${ifMatch}"`;
  const answer = await reach(`${API}${path}`, {
    method,
    headers,
    signal,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.ok) return answer;
  if (answer.status === 401 && again) {
    await fetchHostToken(); // it had run out: nothing has happened yet, so ask once more
    return open(method, path, { body, ifMatch, signal }, false);
  }
  throw await problemOf(answer);
}

async function reach(address, options) {
  try {
    return await fetch(address, { ...options, cache: "no-store", credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ status: 0, code: "no_connection", detail: "" });
  }
}

async function problemOf(answer) {
  const bare = { status: answer.status, code: `http_${answer.status}`, detail: answer.statusText };
  try {
    return new Problem({ ...bare, ...(await answer.json()) });
  } catch {
    return new Problem(bare); // a proxy's page, or half an answer
  }
}
