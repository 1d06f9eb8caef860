// Who is signed in. Cognito by Amplify (SRP: the password never leaves the browser), loaded after the first paint.

import { config } from "./config.js";
import { signal } from "./preact.js";
import { forget, keep, recall } from "./storage.js";

const KEY = "proofsheet.session"; // who, never a token: those are Amplify's to keep
const AMPLIFYS = "CognitoIdentityServiceProvider.";

/**
 * {state: "unknown" | "in" | "out" | "expired", email, admin, account}.
 * "expired": was in, and has to give the password again; the page stays as it is.
 * account: the user's lasting id in the pool.
 */
export const session = signal({ state: "unknown", email: null, admin: false, account: null });

/** Thrown by token() where nobody is signed in, or whoever was has gone for good. */
export class Expired extends Error {
  name = "Expired";
}

const NOBODY = { state: "out", email: null, admin: false, account: null };
let loading;
const waiting = [];
let shown = null; // whose things this page has held since it was loaded, signed out or not

/** Says who was signed in when the page was last open; what that is worth is seen at the first token(). */
export function begin() {
  const known = remembered();
  session.value = known ? { ...known, state: "in" } : NOBODY;
  shown = session.value.account;
  addEventListener("storage", followOtherTabs);
}

/** Amplify, fetched and told which pool. Worth calling early: the first sign-in then does not wait for it. */
export function amplify() {
  loading ??= load().catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function load() {
  const [auth, { user_pool, user_pool_client, user_pool_endpoint }] = await Promise.all([
    import("./amplify.js"),
    config(),
  ]);
  const pool = { userPoolId: user_pool, userPoolClientId: user_pool_client };
  if (user_pool_endpoint) pool.userPoolEndpoint = user_pool_endpoint;
  auth.Amplify.configure({ Auth: { Cognito: pool } });
  return auth;
}

/**
 * The ID token, refreshed where it is about to end. While the session is "expired" it waits for the person.
 * fresh: not the one that was just refused.
 */
export async function token({ fresh = false } = {}) {
  if (session.value.state === "out") throw new Expired("Nobody is signed in.");
  if (session.value.state === "expired") await signedInAgain();
  const { fetchAuthSession } = await amplify();
  const { tokens } = await fetchAuthSession({ forceRefresh: fresh }).catch(lostSession);
  if (tokens?.idToken) return tokens.idToken.toString();
  expire();
  return token();
}

/** The session is over though nobody ended it: asks for the password, over the page. */
export function expire() {
  if (session.value.state === "in") session.value = { ...session.value, state: "expired" };
}

function lostSession(error) {
  if (
    ["UserNotFoundException", "PasswordResetRequiredException", "UserNotConfirmedException"].includes(
      error.name,
    )
  ) {
    return {}; // Amplify has dropped the tokens: as good as expired
  }
  throw error;
}

function signedInAgain() {
  return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
}

/**
 * Each of these steps answers what comes next:
 * "in" | "confirm" (a code was mailed) | "new-password" (made by an operator) | "reset" (a new one is required).
 */
export async function signIn(email, password) {
  const auth = await amplify();
  const credentials = { username: email, password };
  const result = await auth.signIn(credentials).catch(async (error) => {
    if (error.name !== "UserAlreadyAuthenticatedException") throw error;
    await auth.signOut(); // tokens that the API no longer takes
    return auth.signIn(credentials);
  });
  return arrive(result.nextStep.signInStep);
}

/** The new password of someone whom an operator has made. */
export async function setPassword(password) {
  const { confirmSignIn } = await amplify();
  const { nextStep } = await confirmSignIn({ challengeResponse: password });
  return arrive(nextStep.signInStep);
}

export async function signUp(email, password) {
  const auth = await amplify();
  const { nextStep } = await auth.signUp({
    username: email,
    password,
    options: { userAttributes: { email } },
  });
  return nextStep.signUpStep === "DONE" ? signIn(email, password) : "confirm";
}

/** The code from the mail; with the password, one is signed in at once. */
export async function confirm(email, code, password) {
  const { confirmSignUp } = await amplify();
  await confirmSignUp({ username: email, confirmationCode: code });
  return password ? signIn(email, password) : "out";
}

export async function resend(email) {
  const { resendSignUpCode } = await amplify();
  await resendSignUpCode({ username: email });
}

export async function forgotten(email) {
  const { resetPassword } = await amplify();
  await resetPassword({ username: email });
  return "reset";
}

export async function reset(email, code, password) {
  const { confirmResetPassword } = await amplify();
  await confirmResetPassword({ username: email, confirmationCode: code, newPassword: password });
  return signIn(email, password);
}

/** Ends all of this user's sessions, here at once and elsewhere when their tokens end. */
export async function signOut() {
  const auth = await amplify().catch(() => null);
  await auth?.signOut({ global: true }).catch(() => {});
  forget(AMPLIFYS); // without a network it may not be there to do so
  leave();
}

const STEPS = {
  CONFIRM_SIGN_UP: "confirm",
  CONFIRM_SIGN_IN_WITH_NEW_PASSWORD_REQUIRED: "new-password",
  RESET_PASSWORD: "reset",
};

async function arrive(step) {
  if (step !== "DONE") return STEPS[step] ?? unsupported(step);
  const { fetchAuthSession } = await amplify();
  const { tokens } = await fetchAuthSession();
  const { sub, email, "cognito:groups": groups = [] } = tokens.idToken.payload;
  enter({ account: sub, email, admin: groups.includes("admin") });
  return "in";
}

function unsupported(step) {
  throw new Error(`This account asks for a step that this page does not have (${step}).`);
}

function enter(person) {
  keep(KEY, JSON.stringify(person));
  // What lies on the page belongs to someone else, then.
  if (shown && shown !== person.account) return location.reload();
  shown = person.account;
  session.value = { ...person, state: "in" };
  for (const one of waiting.splice(0)) one.resolve();
}

function leave() {
  keep(KEY, null);
  session.value = NOBODY;
  for (const one of waiting.splice(0)) one.reject(new Expired("Signed out."));
}

function remembered() {
  try {
    return JSON.parse(recall(KEY));
  } catch {
    return null;
  }
}

/** Signed out in one tab is signed out in all; signed in again in one goes on in all. */
function followOtherTabs({ key }) {
  if (key !== KEY && key !== null) return;
  const person = remembered();
  if (!person) leave();
  else enter(person);
}
