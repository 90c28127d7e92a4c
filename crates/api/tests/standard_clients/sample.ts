// A client of the types that openapi-typescript generates: compiled, not run.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Schemas = components["schemas"];

const client = createClient<paths>({ baseUrl: "http://127.0.0.1:8080" });

export async function signUp(email: string, password: string): Promise<Schemas["User"] | undefined> {
  const { data, error } = await client.POST("/api/v1/users", {
    body: { email, password, name: "Ada", attributes: { theme: "dark", tags: ["a", "b"], nested: { deep: 1 } } },
  });
  if (error) throw new Error(error.error.code === "email_taken" ? "taken" : error.error.message);
  // Nothing with `signup.conceal_existing`, which answers 202.
  return data;
}

export async function signIn(email: string, password: string): Promise<string> {
  const { data, error } = await client.POST("/api/v1/sessions", { body: { email, password, cookies: false } });
  if (error) throw new Error(error.error.fields.map((field) => field.message).join());
  if ("challenge_id" in data) return data.factors.includes("totp") ? data.challenge_id : "";
  return "access_token" in data ? data.access_token : data.csrf_token;
}

export async function disable(id: string): Promise<Schemas["User"]["status"] | undefined> {
  const { data } = await client.PATCH("/api/v1/users/{id}", {
    params: { path: { id }, header: { "If-Match": '"1"' } },
    body: { status: "disabled", locale: null, attributes: { theme: null } },
  });
  const signedIn: string | null | undefined = data?.last_sign_in_at;
  return signedIn === null ? "invited" : data?.status;
}

export async function patchWithoutNull(id: string): Promise<void> {
  // @ts-expect-error: the name of a user cannot be removed
  await client.PATCH("/api/v1/users/{id}", { params: { path: { id } }, body: { name: null } });
  // @ts-expect-error: there is no such status
  await client.PATCH("/api/v1/users/{id}", { params: { path: { id } }, body: { status: "gone" } });
  // @ts-expect-error: there is no such permission
  await client.POST("/api/v1/api-keys", { body: { name: "Key", scopes: ["users:fly"] } });
}

export async function reasons(): Promise<string[]> {
  const { data } = await client.GET("/api/v1/events", { params: { query: { types: "session.ended", limit: 10 } } });
  return (data ?? []).map((event) => {
    switch (event.type) {
      case "session.ended":
        return event.data.reason;
      case "user.email_changed":
        return event.data.previous_email;
      default:
        return event.id;
    }
  });
}

export async function token(clientId: string, clientSecret: string): Promise<string> {
  const { data, error } = await client.POST("/oauth2/token", {
    body: { grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret },
    bodySerializer: (body) => new URLSearchParams(body as Record<string, string>),
  });
  if (error) throw new Error(error.error === "invalid_client" ? "unknown" : error.error_description);
  const bearer: "Bearer" = data.token_type;
  return `${bearer} ${data.access_token}`;
}
