// Signs in through a certified OpenID provider (oidc-provider), as a browser and its application do.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';

const [base] = process.argv.slice(2);
const app = 'https://app.example.com/signed-in';
const sha256 = (text) => createHash('sha256').update(text).digest('base64url');

/** Follows redirects with the cookies of each origin, until the application is reached. */
async function browse(url) {
  const jars = new Map();
  for (let step = 0; step < 20 && !url.startsWith(app); step += 1) {
    const { origin } = new URL(url);
    const jar = jars.get(origin) ?? new Map();
    jars.set(origin, jar);
    const cookie = [...jar].map((pair) => pair.join('=')).join('; ');
    const response = await fetch(url, { redirect: 'manual', headers: cookie ? { cookie } : {} });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
      jar.set(name, value);
    }
    assert.equal(Math.floor(response.status / 100), 3, `${response.status} at ${url}: ${await response.text()}`);
    url = new URL(response.headers.get('location'), url).toString();
  }
  return new URL(url);
}

async function signIn() {
  const verifier = randomBytes(32).toString('base64url');
  const end = await browse(`${base}/api/v1/auth/node?redirect_to=${app}&code_challenge=${sha256(verifier)}`);
  assert.equal(end.searchParams.get('error'), null);
  const body = { code: end.searchParams.get('code'), code_verifier: verifier };
  const response = await fetch(`${base}/api/v1/sessions/exchange`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
  });
  assert.equal(response.status, 201, await response.clone().text());
  return response.json();
}

const first = await signIn();
assert.deepEqual(
  [first.user.email, first.user.email_verified, first.user.name, first.user.locale],
  ['ada@example.com', true, 'Ada Lovelace', 'de'],
);
assert.equal((await signIn()).user.id, first.user.id);
const identities = await fetch(`${base}/api/v1/me/identities`, { headers: { Authorization: `Bearer ${first.access_token}` } });
assert.deepEqual((await identities.json()).map((identity) => [identity.provider, identity.subject]), [['node', 'ada-1']]);
