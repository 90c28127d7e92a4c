// A client of gRPC-web (connect-web, over fetch as in a browser): unary calls and streams.
//
//     node web_client.mjs URL DESCRIPTOR_SET ADMIN_EMAIL PASSWORD

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

const [url, descriptors, email, password] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));

// As a page of another origin: the answer must be one that a browser would hand over.
const asPage = async (input, init) => {
  const headers = new Headers(init.headers);
  headers.set("origin", "https://app.example.com");
  const response = await fetch(input, { ...init, headers });
  assert.equal(response.headers.get("access-control-allow-origin"), "https://app.example.com");
  return response;
};

const service = (name, token) => {
  const interceptors = [(next) => (request) => {
    if (token) request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  }];
  const transport = createGrpcWebTransport({ baseUrl: url, fetch: asPage, interceptors, useBinaryFormat: true });
  return createClient(registry.getService(`denizen.v1.${name}`), transport);
};

const refused = async (code, call) => {
  const error = await call.then(() => assert.fail("not refused"), (error) => ConnectError.from(error));
  assert.equal(error.code, code, error.message);
  const types = error.details.map((detail) => detail.type);
  assert.ok(types.includes("google.rpc.ErrorInfo") && types.includes("google.rpc.RequestInfo"), types.join());
};

const sessions = service("SessionService");
await refused(Code.Unauthenticated, sessions.signIn({ email, password: "wrong horse battery" }));
const { tokens, user } = await sessions.signIn({ email, password });
const users = service("UserService", tokens.accessToken);
const got = await users.getUser({ id: user.id });
assert.equal(got.user.email, email);
await refused(Code.InvalidArgument, users.getUser({ id: "x" }));
await refused(Code.Unauthenticated, service("UserService").getMe({}));
await refused(Code.Unauthenticated, service("UserService", "forged").getMe({}));

const seen = new Set();
let messages = 0;
for await (const page of users.exportUsers({})) {
  messages += 1;
  for (const one of page.users) seen.add(one.email);
}
assert.ok(seen.has(email) && seen.size >= 2001 && messages > 1, `${seen.size} users in ${messages} messages`);

const page = await users.listUsers({ pageSize: 5, withTotalSize: true });
assert.equal(page.users.length, 5);
assert.ok(page.totalSize >= 2001n && page.nextPageToken);
const events = service("EventService", tokens.accessToken);
const first = await events.listEvents({ pageSize: 3 });
const enough = new AbortController();
const watched = [];
await assert.rejects(async () => {
  for await (const { told } of events.watch({ after: first.events[0].cursor }, { signal: enough.signal })) {
    watched.push(told.value.id);
    if (watched.length === 2) enough.abort();
  }
});
assert.deepEqual(watched.slice(0, 2), first.events.slice(1).map((event) => event.id));
const leaving = new AbortController();
await assert.rejects(async () => {
  for await (const _ of users.exportUsers({}, { signal: leaving.signal })) leaving.abort();
});
await service("SessionService", tokens.accessToken).signOut({});
await refused(Code.Unauthenticated, users.getMe({}));
console.log("gRPC-web: unary calls and streams answer");
