// Consumes the link of a mail after confirmation. Opening the page has no effect.
"use strict";

const ask = document.getElementById("ask");
const factor = document.getElementById("factor");
const texts = document.body.dataset;
const token = new URLSearchParams(location.search).get("token") ?? "";
let challenge = "";
const cookies = ask.dataset.cookies === "true" ? { cookies: true } : {};

// Removes the token from the URL, so that it is not stored in the history or visible in screenshots.
history.replaceState(null, "", location.pathname);

function show(id, text) {
  const place = document.getElementById(id);
  if (text) place.textContent = text;
  place.hidden = false;
}

function end(text) {
  ask.hidden = factor.hidden = true;
  document.getElementById("problem").hidden = true;
  show("done", text);
}

async function call(path, body) {
  const response = await fetch(new URL("../api/v1/" + path, location.href), {
    method: "POST",
    // The link is sufficient. Cookies of an existing session are omitted, because they do not prove who reads the mail.
    credentials: cookies.cookies ? "same-origin" : "omit",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : {} };
}

// The message for an error: an invalid field, an invalid link, or a general failure.
function problem(answer) {
  const fields = answer.body.error?.fields ?? [];
  if (fields.some((field) => field.field === "token")) return texts.dead;
  if (fields.some((field) => field.field === "code")) return texts.wrongCode;
  if (answer.status === 401) return challenge ? texts.wrongCode : texts.dead;
  return fields.map((field) => field.message).join(" ") || texts.failed;
}

function next(answer) {
  if (answer.status !== 202) return end();
  challenge = answer.body.challenge_id;
  if (answer.body.owed !== "second_factor") return end(texts.enrol);
  ask.hidden = true;
  factor.hidden = false;
  factor.elements.code.focus();
}

function on(form, path, body) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    document.getElementById("problem").hidden = true;
    try {
      const answer = await call(path(), body(new FormData(form)));
      if (answer.status < 300) next(answer);
      else show("problem", problem(answer));
    } catch {
      show("problem", texts.failed);
    }
    button.disabled = false;
  });
}

on(ask, () => ask.dataset.call, (form) => {
  // Empty fields are omitted.
  const given = Object.fromEntries([...form].filter(([, value]) => value !== ""));
  return { token, ...given, ...cookies };
});
on(factor, () => "sessions/challenges/" + encodeURIComponent(challenge), (form) => ({ code: form.get("code").trim(), ...cookies }));
if (!token) {
  ask.hidden = true;
  show("problem", texts.dead);
}
