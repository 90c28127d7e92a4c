// A sign-in page for an application with its own pages. The functions are those of docs/passkeys.md and docs/providers.md.
const API = 'http://localhost:8080/api/v1';

async function call(method, path, token, body) {
  const headers = { 'Content-Type': 'application/json' };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(API + path, { method, headers, body: body && JSON.stringify(body) });
  const answer = response.status === 204 ? null : await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.error.message), answer.error);
  return answer;
}

async function registerPasskey(token, name) {
  const { publicKey, state } = await call('POST', '/me/passkeys/options', token);
  const credential = await navigator.credentials.create({
    publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey),
  });
  return call('POST', '/me/passkeys', token, { state, name, credential: credential.toJSON() });
}

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');

async function signInWith(provider) {
  const verifier = base64url(crypto.getRandomValues(new Uint8Array(32)));
  sessionStorage.setItem('verifier', verifier);
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  const url = new URL(`${API}/auth/${provider}`);
  url.searchParams.set('redirect_to', location.origin + location.pathname);
  url.searchParams.set('code_challenge', base64url(new Uint8Array(digest)));
  location.assign(url);
}

async function finish() {
  const params = new URLSearchParams(location.search);
  history.replaceState(null, '', location.pathname);
  if (params.has('error')) throw new Error(params.get('error'));
  const body = { code: params.get('code'), code_verifier: sessionStorage.getItem('verifier') };
  sessionStorage.removeItem('verifier');
  const response = await fetch(`${API}/sessions/exchange`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.error.message), answer.error);
  return answer;
}

let pending; // The conditional request, which a click on the button replaces.

async function signInWithPasskey(mediation) {
  pending?.abort();
  pending = new AbortController();
  const { publicKey, state } = await call('POST', '/sessions/passkeys/options');
  const credential = await navigator.credentials.get({
    publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey),
    mediation,
    signal: pending.signal,
  });
  try {
    return await call('POST', '/sessions/passkeys', null, { state, credential: credential.toJSON() });
  } catch (error) {
    if (error.code === 'unknown_passkey') await forget(publicKey.rpId, credential.id);
    throw error;
  }
}

if (await PublicKeyCredential.isConditionalMediationAvailable?.()) {
  signInWithPasskey('conditional').then(start, ignoreAborts);
}
document.querySelector('#passkey').onclick = () => signInWithPasskey().then(start, show);

function ignoreAborts(error) {
  if (error.name !== 'AbortError') show(error);
}

async function enrolPasskey(challengeId, name) {
  const path = `/sessions/challenges/${challengeId}/passkeys`;
  const { publicKey, state } = await call('POST', `${path}/options`);
  const credential = await navigator.credentials.create({
    publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey),
  });
  return call('POST', path, null, { state, name, credential: credential.toJSON() });
}

async function completeWithPasskey(challengeId) {
  const path = `/sessions/challenges/${challengeId}/passkey`;
  const { publicKey, state } = await call('POST', `${path}/options`);
  const credential = await navigator.credentials.get({
    publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey),
  });
  return call('POST', path, null, { state, credential: credential.toJSON() });
}

async function stepUp(token) {
  const { publicKey, state } = await call('POST', '/sessions/current/step-up/options', token);
  const credential = await navigator.credentials.get({
    publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey),
  });
  await call('POST', '/sessions/current/step-up', token, { passkey: { state, credential: credential.toJSON() } });
}

async function synchronize(token) {
  const list = await call('GET', '/me/passkeys', token);
  const ids = { rpId: list.rp_id, userId: list.user_handle };
  await PublicKeyCredential.signalAllAcceptedCredentials?.({
    ...ids,
    allAcceptedCredentialIds: list.data.map((passkey) => passkey.credential_id),
  });
  await PublicKeyCredential.signalCurrentUserDetails?.({
    ...ids,
    name: list.user_name,
    displayName: list.user_display_name,
  });
}

// The authenticator deletes the passkey permanently: call it after `unknown_passkey` only.
async function forget(rpId, credentialId) {
  await PublicKeyCredential.signalUnknownCredential?.({ rpId, credentialId });
}

// What follows is of this page.

const find = (selector) => document.querySelector(selector);
let session; // The answer of the last sign-in: the tokens stay in memory.
let challengeId;
let isEnrolment; // The role requires a passkey, and the user has none.

// Goes on after any sign-in: with the second factor, or signed in.
function start(answer) {
  pending?.abort();
  challengeId = answer.challenge_id;
  isEnrolment = answer.owed === 'enrolment';
  find('#sign-in').hidden = true;
  find('#factor').hidden = !challengeId;
  find('#signed-in').hidden = Boolean(challengeId);
  find('#problem').textContent = '';
  if (challengeId) return;
  session = answer;
  find('#who').textContent = answer.user.email;
  synchronize(session.access_token).catch(show);
}

function show(error) {
  find('#problem').textContent = error.message;
}

// Repeats a request that requires recent authentication, after a passkey has authenticated the user again.
async function withStepUp(request) {
  try {
    return await request();
  } catch (error) {
    if (error.code !== 'step_up_required') throw error;
    await stepUp(session.access_token);
    return request();
  }
}

function on(selector, event, action) {
  find(selector).addEventListener(event, (what) => {
    what.preventDefault();
    action(what.target).catch(show);
  });
}

on('#password', 'submit', async ({ elements }) => {
  const body = { email: elements.email.value, password: elements.password.value };
  start(await call('POST', '/sessions', null, body));
});
on('#code', 'submit', async ({ elements }) => {
  start(await call('POST', `/sessions/challenges/${challengeId}`, null, { code: elements.code.value }));
});
on('#factor-passkey', 'click', async () => start(await (isEnrolment ? enrolPasskey : completeWithPasskey)(challengeId)));
on('#add', 'click', async () => {
  const passkey = await withStepUp(() => registerPasskey(session.access_token));
  find('#added').textContent = `${passkey.name} was added.`;
  await synchronize(session.access_token);
});
on('#codes', 'click', async () => {
  const { recovery_codes } = await withStepUp(() => call('POST', '/me/recovery-codes', session.access_token));
  const items = recovery_codes.map((code) => Object.assign(document.createElement('li'), { textContent: code }));
  find('#shown').replaceChildren(...items);
});
on('#sign-out', 'click', async () => {
  await call('DELETE', '/sessions/current', session.access_token);
  location.reload();
});

for (const provider of await call('GET', '/auth/providers')) {
  const button = Object.assign(document.createElement('button'), { textContent: `Continue with ${provider.label}` });
  button.dataset.provider = provider.name;
  button.onclick = () => signInWith(provider.name);
  find('#providers').append(button);
}
if (/[?&](code|error)=/.test(location.search)) await finish().then(start, show);
