// The way in: sign-in, sign-up with a code, a forgotten password, a new one that is asked for.

import { Mark } from "./brand.js";
import { config } from "./config.js";
import { ContactSheet } from "./contactsheet.js";
import { Dialog } from "./dialog.js";
import { PasswordField, TextField } from "./field.js";
import { say } from "./notices.js";
import { html, useEffect, useRef, useSignal } from "./preact.js";
import { RULES, worded } from "./refusals.js";
import {
  confirm,
  forgotten,
  resend,
  reset,
  session,
  setPassword,
  signIn,
  signOut,
  signUp,
} from "./session.js";

/** The whole page, where nobody is signed in. */
export function SignIn() {
  return html`<main class="entrance">
    <${ContactSheet} />
    <div class="way">
      <p class="brand"><${Mark} size="44" />Proofsheet</p>
      <${Forms} />
    </div>
  </main>`;
}

/** Over the page, where a session has ended in the middle of work. */
export function SignInAgain() {
  const { email } = session.value;
  return html`<${Dialog} title="Please sign in again" open=${true} className="small">
    <p>Your session has ended. Everything on this page is still here, and goes on when you are back.</p>
    <${Forms} email=${email} again />
    <button type="button" class="link" onClick=${signOut}>Sign out instead</button>
  <//>`;
}

/** again: a heading stands above already, and nobody new can sign up here. */
function Forms({ email = "", again = false }) {
  const step = useSignal({ name: "sign-in", email, password: "" });
  const go = (name, kept) => {
    step.value = { ...step.value, ...kept, name };
  };
  const Form = FORMS[step.value.name];
  return html`<${Form} key=${step.value.name} given=${step.value} go=${go} again=${again} />`;
}

function SignInForm({ given, go, again }) {
  const form = useForm({ email: given.email, password: "" });
  const submit = async ({ email, password }) => {
    const next = await signIn(email, password);
    if (next === "confirm") await resend(email);
    if (next === "reset") await forgotten(email);
    if (next !== "in") go(next, { email, password });
  };
  return html`<${Form} form=${form} title=${again ? null : "Sign in"} action="Sign in" submit=${submit}>
    <${Email} form=${form} />
    <${Password} form=${form} autocomplete="current-password" />
    <p class="row spread links">
      <button type="button" class="link" onClick=${() => go("forgotten", { email: form.values.value.email })}>Forgotten password</button>
      ${!again && html`<button type="button" class="link" onClick=${() => go("sign-up", { email: form.values.value.email })}>Create an account</button>`}
    </p>
  <//>`;
}

function SignUpForm({ given, go }) {
  const form = useForm({ email: given.email, password: "" });
  const submit = async ({ email, password }) => {
    const next = await signUp(email, password);
    if (next !== "in") go(next, { email, password });
  };
  return html`<${Form} form=${form} title="Create an account" action="Create account" submit=${submit}>
    <${Email} form=${form} />
    <${Password} form=${form} hint=${RULES} autocomplete="new-password" />
    <${Back} go=${go} text="I have an account" />
  <//>`;
}

function ConfirmForm({ given, go }) {
  const form = useForm({ code: "" });
  const submit = async ({ code }) => {
    const next = await confirm(given.email, code, given.password);
    if (next === "out") go("sign-in");
    else if (next !== "in") go(next);
  };
  const again = async () => {
    await resend(given.email);
    say("Another code is on its way.");
  };
  return html`<${Form} form=${form} title="Check your mail" action="Confirm" submit=${submit}>
    <p>We have sent a code to <bdi>${given.email}</bdi>.</p>
    <${Code} form=${form} />
    <p class="row spread links">
      <button type="button" class="link" onClick=${() => form.attempt(again)}>Send another code</button>
      <button type="button" class="link" onClick=${() => go("sign-in")}>Back</button>
    </p>
  <//>`;
}

function ForgottenForm({ given, go }) {
  const form = useForm({ email: given.email });
  const submit = async ({ email }) => go(await forgotten(email), { email });
  return html`<${Form} form=${form} title="Forgotten password" action="Send a code" submit=${submit}>
    <p>We send you a code, and with it you choose a new password.</p>
    <${Email} form=${form} />
    <${Back} go=${go} text="Back" />
  <//>`;
}

function ResetForm({ given, go }) {
  const form = useForm({ code: "", password: "" });
  const submit = async ({ code, password }) => {
    const next = await reset(given.email, code, password);
    if (next !== "in") go(next, { password });
  };
  return html`<${Form} form=${form} title="Choose a new password" action="Set password and sign in" submit=${submit}>
    <p>If <bdi>${given.email}</bdi> has an account, a code is on its way there.</p>
    <${Code} form=${form} />
    <${Password} form=${form} label="New password" hint=${RULES} autocomplete="new-password" />
    <${Back} go=${go} text="Back" />
  <//>`;
}

function NewPasswordForm({ go }) {
  const form = useForm({ password: "" });
  const submit = async ({ password }) => {
    const next = await setPassword(password);
    if (next !== "in") go(next);
  };
  return html`<${Form} form=${form} title="Choose your password" action="Set password" submit=${submit}>
    <p>Your account was made for you. Choose a password that only you know.</p>
    <${Password} form=${form} label="New password" hint=${RULES} autocomplete="new-password" />
    <${Back} go=${go} text="Back" />
  <//>`;
}

const FORMS = {
  "sign-in": SignInForm,
  "sign-up": SignUpForm,
  confirm: ConfirmForm,
  forgotten: ForgottenForm,
  reset: ResetForm,
  "new-password": NewPasswordForm,
};

/** values: what was typed; error: {message, field}; attempt(action) runs it once at a time and keeps its error. */
function useForm(start) {
  const values = useSignal(start);
  const error = useSignal(null);
  const working = useSignal(false);
  const attempt = async (action) => {
    if (working.value) return;
    working.value = true;
    error.value = null;
    try {
      await action(values.value);
    } catch (failure) {
      error.value = worded(failure);
    } finally {
      working.value = false;
    }
  };
  return { values, error, working, attempt };
}

function Form({ form, title, action, submit, children }) {
  const self = useRef(null);
  useEffect(() => {
    if (title) document.title = `${title} · Proofsheet`;
    const inputs = [...self.current.querySelectorAll("input")];
    (inputs.find((input) => !input.value) ?? inputs[0])?.focus();
  }, []);
  useEffect(
    () => form.error.value && self.current.querySelector("[aria-invalid]")?.focus(),
    [form.error.value],
  );
  const send = (event) => {
    event.preventDefault();
    // What a password manager fills in does not always say so.
    form.values.value = typed(event.currentTarget);
    form.attempt(submit);
  };
  const failure = form.error.value;
  return html`<form class="stack" ref=${self} onSubmit=${send} aria-busy=${form.working.value}>
    ${title && html`<h1>${title}</h1>`}
    <div role="alert">${failure && !failure.field && html`<p class="complaint">${failure.message}</p>`}</div>
    ${children}
    <button class="button primary wide" aria-disabled=${form.working.value}>${form.working.value ? "One moment …" : action}</button>
  </form>`;
}

function typed(form) {
  const { email, code, ...rest } = Object.fromEntries(new FormData(form));
  return { ...rest, email: email?.trim(), code: code?.replaceAll(/\s/g, "") };
}

function useInput(form, name) {
  const error = form.error.value?.field === name ? form.error.value.message : null;
  const onInput = (text) => {
    form.values.value = { ...form.values.value, [name]: text };
  };
  return { value: form.values.value[name], error, onInput, required: true, name };
}

function Email({ form }) {
  const input = useInput(form, "email");
  return html`<${TextField} ...${input} label="E-mail address" type="email" autocomplete="username" inputmode="email" />`;
}

function Password({ form, label = "Password", ...rest }) {
  return html`<${PasswordField} ...${useInput(form, "password")} label=${label} ...${rest} />`;
}

/** On a laptop no mail is sent, and any code is right. */
function Code({ form }) {
  const local = useSignal(false);
  useEffect(() => {
    config().then(
      (told) => {
        local.value = told.local;
      },
      () => {},
    );
  }, []);
  const hint = local.value
    ? "This is a local installation, which sends no mail: any six digits are taken."
    : undefined;
  return html`<${TextField} ...${useInput(form, "code")} label="Code" hint=${hint} inputmode="numeric"
    autocomplete="one-time-code" maxlength="12" />`;
}

function Back({ go, text }) {
  return html`<p class="links"><button type="button" class="link" onClick=${() => go("sign-in")}>${text}</button></p>`;
}
