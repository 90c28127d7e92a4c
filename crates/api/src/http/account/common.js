// What the account pages share: requests, messages, views and passkeys.

/** The texts and settings that the server wrote into the page. */
export const page = document.body.dataset;

const problem = document.getElementById("problem");
let csrf = "";

/** Calls the API. Rejects with the error of the response, which has `code`, `fields` and `status`. */
export async function call(method, path, body, credentials = "same-origin") {
  const headers = {};
  if (body) headers["content-type"] = "application/json";
  if (csrf) headers["x-csrf-token"] = csrf;
  const request = { method, credentials, headers, body: body && JSON.stringify(body) };
  const response = await fetch(new URL("../api/v1/" + path, location.href), request);
  const text = await response.text();
  const answer = text ? JSON.parse(text) : {};
  if (answer.csrf_token) csrf = answer.csrf_token;
  if (response.ok) return { status: response.status, body: answer };
  throw Object.assign(new Error(), answer.error, { retryAfter: Number(response.headers.get("retry-after")) });
}

/** The text of an error code. */
function textOf(code) {
  return document.body.getAttribute("data-error-" + code.replaceAll("_", "-"));
}

/** The message for an error. */
function message(error) {
  if (error instanceof TypeError) return textOf("offline");
  if (error.name === "NotAllowedError" || error.name === "AbortError") return textOf("passkey_cancelled");
  if (error.name === "InvalidStateError") return textOf("passkey_present");
  const fields = error.fields ?? [];
  if (fields.some(({ field }) => field === "token")) return page.dead;
  if (fields.some(({ field }) => field === "code") || error.code === "invalid_code") return page.wrongCode;
  if (fields.length) return fields.map((field) => textOf(field.code) ?? field.message).join(" ");
  if (error.code === "too_many_requests") return textOf(error.code).replace("%s", duration(error.retryAfter || 60));
  if (error.status === 503 && error.code !== "provider_unavailable") return textOf("overloaded");
  const known = error.code && textOf(error.code);
  return known ?? (error.request_id ? `${page.failed} (${error.request_id})` : page.failed);
}

/** A duration in the language of the page, such as "2 minutes". */
function duration(seconds) {
  const [value, unit] = seconds < 90 ? [seconds, "second"] : [Math.ceil(seconds / 60), "minute"];
  const format = new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit, unitDisplay: "long" });
  return format.format(value);
}

/** Shows the message for an error below the heading of the visible view. */
export function fail(error) {
  problem.textContent = message(error);
  problem.hidden = false;
}

/** Shows one view, and moves the focus into it. */
export function view(name) {
  const shown = document.getElementById(name);
  for (const section of document.querySelectorAll("main > section")) section.hidden = section !== shown;
  problem.hidden = true;
  shown.querySelector("h1").after(problem);
  (shown.querySelector("form:not([hidden]) input") ?? shown.querySelector("h1")).focus();
}

let isBusy = false;

/** Runs a task that the user started. A second one has to wait; an error is shown. */
export async function run(task) {
  if (isBusy) return;
  isBusy = true;
  document.body.classList.add("busy");
  problem.hidden = true;
  try {
    await task();
  } catch (error) {
    fail(error);
  }
  document.body.classList.remove("busy");
  isBusy = false;
}

/** Runs a task when a form is submitted. */
export function onSubmit(id, task) {
  document.getElementById(id)?.addEventListener("submit", (event) => {
    event.preventDefault();
    run(() => task(new FormData(event.target), event.target));
  });
}

/** Runs a task when an element is clicked. */
export function onClick(selector, task) {
  for (const element of document.querySelectorAll(selector)) {
    element.addEventListener("click", (event) => {
      event.preventDefault();
      run(() => task(element));
    });
  }
}

for (const button of document.querySelectorAll("[data-show]")) {
  button.addEventListener("click", () => {
    const input = button.previousElementSibling;
    const isShown = input.type === "text";
    input.type = isShown ? "password" : "text";
    button.textContent = isShown ? button.dataset.show : button.dataset.hide;
    button.setAttribute("aria-pressed", String(!isShown));
  });
}

/** Whether this browser can use passkeys on this page. */
export const hasPasskeys =
  Boolean(window.PublicKeyCredential?.parseRequestOptionsFromJSON) &&
  (page.passkeys ?? "").split(" ").includes(location.origin);

/** Requests options, lets the browser use a passkey, and returns the body for the request that follows. */
export async function usePasskey(path, more = {}) {
  const { publicKey, state } = (await call("POST", path)).body;
  const options = { publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey), ...more };
  const credential = await navigator.credentials.get(options);
  return { state, credential: credential.toJSON(), rpId: publicKey.rpId };
}

/** Requests options, lets the browser create a passkey or a security key, and returns the response to its registration. */
export async function createPasskey(path, request, more) {
  const { publicKey, state } = (await call("POST", path + "/options", request)).body;
  const credential = await navigator.credentials.create({
    publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey),
  });
  return call("POST", path, { state, credential: credential.toJSON(), ...more });
}

/** Lets the authenticator delete the passkeys that were deleted here, and update the name of the user. */
export async function synchronize() {
  if (!hasPasskeys || !PublicKeyCredential.signalAllAcceptedCredentials) return;
  const list = (await call("GET", "me/passkeys")).body;
  const ids = { rpId: list.rp_id, userId: list.user_handle };
  const allAcceptedCredentialIds = list.data.map((passkey) => passkey.credential_id);
  await PublicKeyCredential.signalAllAcceptedCredentials({ ...ids, allAcceptedCredentialIds });
  const names = { name: list.user_name, displayName: list.user_display_name };
  await PublicKeyCredential.signalCurrentUserDetails?.({ ...ids, ...names });
}

/** Set in the storage of the session by the page of a link on which a passkey was created. */
export const NEW_PASSKEY = "denizen.new-passkey";

/** The key of the code verifier in the storage of the session. */
export const VERIFIER = "denizen.verifier";

const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/** Begins a sign-in at a provider, which ends on the sign-in page. */
export async function startAt(provider) {
  const own = new URL(page.self);
  // The verifier is stored for one origin: the flow must begin where it ends.
  if (own.origin !== location.origin) return location.assign(own);
  if (!isSecureContext) throw { code: "insecure" };
  if (page.return) own.searchParams.set("return_to", page.return);
  const verifier = base64url(crypto.getRandomValues(new Uint8Array(32)));
  sessionStorage.setItem(VERIFIER, verifier);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const url = new URL("../api/v1/auth/" + encodeURIComponent(provider), location.href);
  url.searchParams.set("redirect_to", own);
  url.searchParams.set("code_challenge", base64url(new Uint8Array(digest)));
  location.assign(url);
}
