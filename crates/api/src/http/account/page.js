// Consumes the link of a mail after confirmation. Opening the page has no effect.
import { call, createPasskey, fail, hasPasskeys, NEW_PASSKEY, onClick, onSubmit, startAt, view } from "./common.js";

const DEAD = { fields: [{ field: "token" }] };
const token = new URLSearchParams(location.search).get("token") ?? "";

// Removes the token from the URL, so that it is not stored in the history or visible in screenshots.
history.replaceState(null, "", location.pathname);

/** Goes on at the sign-in page: signed in, or with the second factor. */
function goOn({ status, body }) {
  if (status === 202) sessionStorage.setItem("denizen.challenge", JSON.stringify(body));
  location.replace(status === 202 ? "sign-in?step=factor" : "sign-in");
}

function end() {
  document.getElementById("ask").hidden = true;
  document.getElementById("way-on").hidden = false;
}

/** Uses the link. If it is not valid any more, the page only leads to the sign-in page. */
async function withLink(task) {
  try {
    return await task();
  } catch (error) {
    const isDead = error.status === 401 || error.fields?.some(({ field }) => field === "token");
    if (isDead) end();
    throw isDead ? DEAD : error;
  }
}

onSubmit("ask", async (data, form) => {
  const cookies = form.dataset.cookies === "true";
  // Empty fields are omitted.
  const given = Object.fromEntries([...data].filter(([, value]) => value !== ""));
  const body = { token, ...given, ...(cookies && { cookies }) };
  // The link is sufficient. Cookies of an existing session are omitted, because they do not prove who reads the mail.
  const answer = await withLink(() => call("POST", form.dataset.call, body, cookies ? "same-origin" : "omit"));
  if (cookies) return goOn(answer);
  end();
  if (form.dataset.signIn === "true") {
    const { email } = answer.body;
    try {
      return goOn(await call("POST", "sessions", { email, password: given.password, cookies: true }));
    } catch {
      // The invitation is accepted: the user signs in on the sign-in page.
    }
  }
  view("done");
});
onClick("#by-passkey", async ({ dataset, form }) => {
  const name = form.elements.name?.value;
  await withLink(() => createPasskey(dataset.call, { token }, { token, ...(name && { name }), cookies: true }));
  sessionStorage.setItem(NEW_PASSKEY, "1");
  location.replace("sign-in");
});
for (const element of document.querySelectorAll("[data-needs-passkeys]")) element.hidden = !hasPasskeys;
onClick("[data-provider]", (button) => startAt(button.dataset.provider));
if (!token) {
  end();
  fail(DEAD);
}
