// Signing in: by a bearer token that is kept in memory, or by the host platform's session.

import { html, useEffect, useState } from "./htm-preact-standalone.js";
import { HOST_SIGNS_IN } from "./api.js";
import { onLink } from "./sign_in_link.js";
import { signIn, useStore } from "./store.js";
import { Modal, Notice, SecretField } from "./ui.js";

/** The first thing that a visitor sees. */
export function SignIn() {
  return html`
    <main class="gate">
      <section class="panel" aria-labelledby="gate-title">
        <h1 id="gate-title">Language models</h1>
        <p class="lead">Which models the SOC's agents run on, and with which keys.</p>
        ${HOST_SIGNS_IN ? html`<${HostSession} />` : html`<${TokenForm} takesLinks />`}
      </section>
    </main>
  `;
}

/** The same over the page, when a sign-in ends while it is in use: nothing below is lost. */
export const SignInAgain = () => html`
  <${Modal} title="Sign in again">
    <${Notice} tone="info">
      Your sign-in has expired. What you typed is kept.
    <//>
    ${HOST_SIGNS_IN ? html`<${HostSession} />` : html`<${TokenForm} />`}
  <//>
`;

/**
 * A link that is opened while somebody is signed in changes nothing: what they do next would
 * otherwise be done, and recorded, under another name.
 */
export function UnusedLink() {
  const { caller } = useStore();
  const [opened, setOpened] = useState(false);
  useEffect(() => onLink(() => setOpened(true)), []);
  if (!opened) return null;
  return html`
    <${Notice} tone="warn" title="The link was not used" alert>
      You are still signed in as ${caller.subject}.
      ${!HOST_SIGNS_IN && " To use the link, sign out first."}
    <//>
  `;
}

function TokenForm({ takesLinks = false }) {
  const [text, setText] = useState("");
  const { busy, problem, submit } = useSignIn();
  useEffect(() => (takesLinks ? onLink(submit) : undefined), []);
  const send = (event) => {
    event.preventDefault();
    submit(text.trim().replace(/^Bearer\s+/i, ""));
  };
  return html`
    <form onSubmit=${send}>
      <${Refusal} problem=${problem} />
      <${SecretField}
        label="Bearer token"
        value=${text}
        onValue=${setText}
        required
        hint="It stays in this page's memory: reloading or closing the page signs you out."
      />
      <button class="primary" disabled=${busy}>${busy ? "Signing in…" : "Sign in"}</button>
      <p class="hint">
        <code>aurorasoc dev</code> prints a link that signs in, and a token;
        <code>aurorasoc token create</code> makes a token.
      </p>
    </form>
  `;
}

function HostSession() {
  const { busy, problem, submit } = useSignIn();
  useEffect(() => void submit(), []);
  return html`
    <${Refusal} problem=${problem} />
    <p>
      ${busy
        ? "Signing in with the platform's session…"
        : "Sign in to the platform, then try again."}
    </p>
    <button class="primary" disabled=${busy} onClick=${() => submit()}>Try again</button>
  `;
}

function useSignIn() {
  const { said } = useStore();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const submit = async (text) => {
    setBusy(true);
    setProblem(null);
    await signIn(text).catch((refused) => (setProblem(refused), setBusy(false)));
  };
  return { busy, problem, submit, said };
}

/** Why nobody is signed in, in one sentence: nothing was changed here, and nothing was lost. */
function refusal({ status, detail }) {
  if (status === 401) {
    return HOST_SIGNS_IN
      ? "The platform's session has ended, or isn't accepted here."
      : "The token was refused: it is mistyped, has expired, or was made for another service.";
  }
  if (status === 403) return `You may not use this page. ${detail}`;
  if (status === 0) return "The service can't be reached. Try again.";
  return `The service can't check the sign-in now: ${detail || `it answered ${status}.`}`;
}

const Refusal = ({ problem }) =>
  problem && html`<${Notice} tone="bad" alert>${refusal(problem)}<//>`;
