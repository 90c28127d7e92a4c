// Creates the first administrator with the token of a setup link, and signs them in.
import { call, onSubmit, view } from "./common.js";

const token = new URLSearchParams(location.search).get("token") ?? "";

// Removes the token from the URL, so that it is not stored in the history or visible in screenshots.
history.replaceState(null, "", location.pathname);

onSubmit("setup", async (data) => {
  const { email, password, name } = Object.fromEntries(data);
  await call("POST", "../../account/setup", { token, email, name, password }, "omit");
  try {
    const { status, body } = await call("POST", "sessions", { email, password, cookies: true });
    if (status === 202) sessionStorage.setItem("denizen.challenge", JSON.stringify(body));
    location.replace(status === 202 ? "sign-in?step=factor" : "sign-in");
  } catch {
    // The administrator exists: they sign in on the sign-in page.
    document.getElementById("way-on").hidden = false;
    view("done");
  }
});
