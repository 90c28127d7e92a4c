// The sign-in page: password, outside providers, passkeys, and the second factor.
import {
  call, createPasskey, fail, hasPasskeys, NEW_PASSKEY, onClick, onSubmit, page, startAt, synchronize, usePasskey,
  VERIFIER, view,
} from "./common.js";

/** Before the state of the options expires (five minutes). */
const CONDITIONAL_MS = 4 * 60 * 1000;
const REJECTED = ["unknown_passkey", "invalid_passkey"];
const CHALLENGE = "denizen.challenge";

const form = document.getElementById("password").elements;
let challenge = "";
let conditional;
let timer;

/** Goes on after any sign-in: to the second factor, or to where the user came from. */
async function next({ status, body }) {
  conditional?.abort();
  conditional = undefined;
  if (status === 202) return challenged(body);
  form.password.value = "";
  if (body.recovery_codes) return showCodes(body.recovery_codes);
  await arrive();
}

async function arrive() {
  // An authenticator that is not up to date must not prevent the sign-in.
  await synchronize().catch(() => {});
  if (page.return) location.assign(page.return);
  else await signedIn((await call("GET", "me")).body);
}

function challenged({ challenge_id, owed, factors }) {
  challenge = "sessions/challenges/" + encodeURIComponent(challenge_id);
  const offers = (...names) => names.some((name) => factors.includes(name));
  const canUse = hasPasskeys && offers("passkey", "security_key");
  if (owed === "enrolment" && canUse) return view("enrol-passkey");
  if (owed === "enrolment" && offers("totp")) return enrol();
  const takesCode = owed !== "enrolment" && offers("totp", "recovery_code", "mailed_code");
  const hint = offers("mailed_code") ? "mailed"
    : offers("totp") ? (canUse ? "code_or_passkey" : "code")
    : takesCode ? (canUse ? "passkey_or_recovery" : "recovery")
    : canUse ? "passkey" : "no_passkeys";
  for (const text of document.querySelectorAll("[data-hint]")) text.hidden = text.dataset.hint !== hint;
  const button = document.getElementById("factor-passkey");
  button.hidden = !canUse;
  button.classList.toggle("other", takesCode);
  const form = document.getElementById("factor-code");
  form.hidden = !takesCode;
  form.reset();
  view("factor");
}

/** A step without a code. An error about the code means that the challenge has ended. */
async function withoutCode(task) {
  try {
    return await task();
  } catch (error) {
    throw error.code === "invalid_code" ? { code: "invalid_state" } : error;
  }
}

async function enrol() {
  const { secret, uri, qr_svg } = (await withoutCode(() => call("POST", challenge + "/totp"))).body;
  document.getElementById("qr").src = "data:image/svg+xml," + encodeURIComponent(qr_svg);
  const link = document.getElementById("secret");
  link.textContent = secret.replace(/(.{4})(?=.)/g, "$1 ");
  link.href = uri;
  view("enrol");
}

function showCodes(codes) {
  const items = codes.map((code) => Object.assign(document.createElement("li"), { textContent: code }));
  document.getElementById("codes").replaceChildren(...items);
  view("recovery");
}

/** Makes recovery codes for a user with a new passkey who has none, and shows them. */
async function makeCodes() {
  const factors = (await call("GET", "me/factors")).body;
  // A role that requires a passkey accepts no codes.
  if (factors.recovery_codes_left > 0 || factors.passkey_required) return;
  showCodes((await call("POST", "me/recovery-codes")).body.recovery_codes);
}

/** Shows who is signed in, and offers a passkey to those who have none. */
async function signedIn(user) {
  document.getElementById("who").textContent = user.name;
  document.getElementById("address").textContent = user.email === user.name ? "" : user.email;
  const factors = hasPasskeys ? (await call("GET", "me/factors")).body : undefined;
  document.getElementById("offer").hidden = !factors || factors.passkeys > 0;
  view("signed-in");
}

async function passkey(mediation) {
  conditional?.abort();
  const controller = mediation ? new AbortController() : undefined;
  conditional = controller;
  const { rpId, ...body } = await usePasskey("sessions/passkeys/options", { mediation, signal: controller?.signal });
  try {
    await next(await call("POST", "sessions/passkeys", { ...body, cookies: true }));
  } catch (error) {
    if (error.code === "unknown_passkey") {
      await PublicKeyCredential.signalUnknownCredential?.({ rpId, credentialId: body.credential.id });
    }
    throw error;
  }
}

/** Offers passkeys in the autofill list of the address, until another sign-in begins. */
async function offerInAutofill() {
  clearInterval(timer);
  if (!hasPasskeys || !(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  const begin = async () => {
    try {
      await passkey("conditional");
    } catch (error) {
      // Other errors are not of a passkey that the user selected.
      if (!REJECTED.includes(error.code)) return;
      fail(error);
      begin();
    }
  };
  begin();
  timer = setInterval(() => conditional && begin(), CONDITIONAL_MS);
}

/** The end of a sign-in at a provider. A code that was not requested by this tab is not used. */
async function finishAtProvider(query) {
  const verifier = sessionStorage.getItem(VERIFIER);
  sessionStorage.removeItem(VERIFIER);
  if (query.has("error")) throw { code: query.get("error") };
  if (!verifier) throw { code: "invalid_state" };
  const body = { code: query.get("code"), code_verifier: verifier, cookies: true };
  await next(await call("POST", "sessions/exchange", body));
}

/** The user of the session of this browser, if there is one. */
async function current() {
  try {
    return (await call("GET", "me")).body;
  } catch (error) {
    if (error.status !== 401) throw error;
  }
  try {
    await call("GET", "sessions/csrf-token");
    return (await call("POST", "sessions/refresh", {})).body.user;
  } catch (error) {
    if (error.status === 401) return undefined;
    throw error;
  }
}

async function open() {
  const query = new URLSearchParams(location.search);
  const kept = new URLSearchParams(page.return ? { return_to: page.return } : {});
  // Removes the code from the URL, so that it is not stored in the history.
  history.replaceState(null, "", location.pathname + (kept.size ? "?" + kept : ""));
  const pending = sessionStorage.getItem(CHALLENGE);
  const hasNewPasskey = sessionStorage.getItem(NEW_PASSKEY);
  sessionStorage.removeItem(CHALLENGE);
  sessionStorage.removeItem(NEW_PASSKEY);
  try {
    if (!isSecureContext) throw { code: "insecure" };
    if (query.has("code") || query.has("error")) return await finishAtProvider(query);
    if (pending && query.has("step")) return await challenged(JSON.parse(pending));
    const user = page.session ? await current() : undefined;
    if (user) {
      await signedIn(user);
      return hasNewPasskey ? await makeCodes() : undefined;
    }
    view("sign-in");
  } catch (error) {
    view("sign-in");
    fail(error);
  }
  offerInAutofill();
}

onSubmit("password", async (data) => {
  const body = { email: data.get("email").trim(), password: data.get("password"), cookies: true };
  await next(await call("POST", "sessions", body));
});
onClick("#passkey", () => passkey().catch((error) => {
  offerInAutofill();
  throw error;
}));
onClick("[data-provider]", (button) => startAt(button.dataset.provider));
onClick("[data-mailed]", async (button) => {
  if (!form.email.reportValidity()) return;
  const answer = await call("POST", "sessions/" + button.dataset.mailed, { email: form.email.value.trim() });
  if (answer.body.challenge_id) challenged(answer.body);
  else view("sent");
});
for (const id of ["factor-code", "enrol-code"]) {
  onSubmit(id, async (data) => next(await call("POST", challenge, { code: data.get("code").trim(), cookies: true })));
}
onClick("#factor-passkey", async () => next(await withoutCode(async () => {
  const { rpId, ...body } = await usePasskey(challenge + "/passkey/options");
  return call("POST", challenge + "/passkey", { ...body, cookies: true });
})));
onClick("[data-enrol]", async ({ dataset }) => next(await withoutCode(
  () => createPasskey(challenge + "/passkeys", { kind: dataset.enrol }, { cookies: true }),
)));
onClick("[data-forgot]", () => {
  document.getElementById("forgot-email").elements.email.value = form.email.value;
  view("forgot");
});
onSubmit("forgot-email", async (data) => {
  await call("POST", "password-resets", { email: data.get("email").trim() });
  view("sent");
});
onClick("[data-back]", () => view("sign-in"));
onClick("#saved", arrive);
onClick("#create-passkey", async () => {
  await createPasskey("me/passkeys", { kind: "passkey" });
  document.getElementById("offer").hidden = true;
  document.getElementById("created").hidden = false;
  await makeCodes();
});
onClick("#sign-out", async () => {
  await call("DELETE", "sessions/current");
  view("sign-in");
  offerInAutofill();
});
for (const link of document.querySelectorAll("#continue")) link.href = page.return;
if (!hasPasskeys) document.getElementById("passkey")?.remove();
open();
