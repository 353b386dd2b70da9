// Signing in: by a bearer token that is kept in memory, or by the host platform's session.

import { html, useEffect, useState } from "./htm-preact-standalone.js";
import { HOST_SIGNS_IN } from "./api.js";
import { onLink } from "./sign_in_link.js";
import { signIn, useStore } from "./store.js";
import { Modal, Notice, ProblemNotice, SecretField } from "./ui.js";

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
      <${ProblemNotice} problem=${refusal(problem)} />
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
    <${ProblemNotice} problem=${refusal(problem)} />
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

/** Here a 401 is no lost sign-in, but a token that was never accepted. */
function refusal(problem) {
  if (problem?.status !== 401) return problem;
  const detail = "It is mistyped, has expired, or was made for another service.";
  return { code: "", title: "The token was refused", detail };
}
