// oauth4webapi and openid-client against a server: metadata, grants, introspection, revocation, and the validation of access
// tokens by RFC 9068.
import assert from "node:assert/strict";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";

const [url, email, password, serviceAccount, apiKey] = process.argv.slice(2);
const issuer = new URL(url);
const insecure = { [oauth.allowInsecureRequests]: true };
const program = { client_id: serviceAccount };
const programAuth = oauth.ClientSecretBasic(apiKey);
const product = { client_id: "denizen" };

async function signIn() {
  const response = await fetch(new URL("/api/v1/sessions", issuer), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email, password }),
  });
  assert.equal(response.status, 201);
  return response.json();
}

async function validated(server, token) {
  const request = new Request(new URL("/", issuer), { headers: { authorization: `Bearer ${token}` } });
  return oauth.validateJwtAccessToken(server, request, "denizen", insecure);
}

async function withOauth4webapi() {
  const discovery = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure });
  assert.equal(discovery.headers.get("access-control-allow-origin"), "*");
  const server = await oauth.processDiscoveryResponse(issuer, discovery);

  const session = await signIn();
  const ofUser = await validated(server, session.access_token);
  assert.equal(ofUser.client_id, "denizen");
  assert.equal(ofUser.email_verified, false);
  const resources = new URLSearchParams([["resource", "https://a.example"], ["resource", "https://b.example"]]);
  const refreshed = await oauth.processRefreshTokenResponse(
    server,
    product,
    await oauth.refreshTokenGrantRequest(server, product, oauth.None(), session.refresh_token, {
      additionalParameters: resources,
      ...insecure,
    }),
  );
  assert.equal((await validated(server, refreshed.access_token)).sub, ofUser.sub);

  const granted = await oauth.processClientCredentialsResponse(
    server,
    program,
    await oauth.clientCredentialsGrantRequest(server, program, programAuth, resources, insecure),
  );
  assert.equal((await validated(server, granted.access_token)).client_id, serviceAccount);

  const introspected = await oauth.processIntrospectionResponse(
    server,
    program,
    await oauth.introspectionRequest(server, program, programAuth, refreshed.access_token, insecure),
  );
  assert.equal(introspected.active, true);
  assert.equal(introspected.client_id, "denizen");
  await oauth.processRevocationResponse(
    await oauth.revocationRequest(server, product, oauth.None(), refreshed.refresh_token, insecure),
  );
}

async function withOpenidClient() {
  const options = { algorithm: "oauth2", execute: [openid.allowInsecureRequests] };
  const ofProduct = await openid.discovery(issuer, "denizen", undefined, openid.None(), options);
  const session = await signIn();
  const refreshed = await openid.refreshTokenGrant(ofProduct, session.refresh_token);
  const ofProgram = await openid.discovery(issuer, serviceAccount, undefined, openid.ClientSecretPost(apiKey), options);
  const granted = await openid.clientCredentialsGrant(ofProgram, { scope: "users:read" });
  assert.equal(granted.scope, "users:read");
  assert.equal((await openid.tokenIntrospection(ofProgram, refreshed.access_token)).active, true);
  await openid.tokenRevocation(ofProduct, refreshed.refresh_token);
  assert.equal((await openid.tokenIntrospection(ofProgram, refreshed.access_token)).active, false);
}

await withOauth4webapi();
await withOpenidClient();
