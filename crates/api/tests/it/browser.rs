//! A browser, as far as cookies go.

use std::sync::{Mutex, PoisonError};

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{PASSWORD, TestApp};

pub(crate) const ACCESS: &str = "__Host-denizen_access";
pub(crate) const REFRESH: &str = "__Host-denizen_refresh";
pub(crate) const DEVICE: &str = "__Host-denizen_device";

/// What a browser keeps for a page: cookies, which the page cannot read, and the CSRF token, which it can.
#[derive(Default)]
pub(crate) struct Browser {
    pub(crate) cookies: Mutex<Vec<(String, String)>>,
    pub(crate) csrf_token: Mutex<String>,
}

impl Browser {
    pub(crate) async fn signed_in(app: &TestApp, email: &str) -> Self {
        let browser = Self::default();
        let body = json!({"email": email, "password": PASSWORD, "cookies": true});
        let response = browser.send(app, Method::POST, "/api/v1/sessions", Some(&body), &[]).await;
        assert_eq!(response.status(), 201);
        browser.keep_token(response).await;
        browser
    }

    /// As the browser and a page of ours send it, with more headers.
    pub(crate) async fn send(
        &self,
        app: &TestApp,
        method: Method,
        path: &str,
        body: Option<&Value>,
        more: &[(&str, &str)],
    ) -> Response {
        let cookies: Vec<_> = self.all().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = app.request(method, path, None);
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        self.take_cookies(&response);
        response
    }

    /// The same with the CSRF token.
    pub(crate) async fn change(&self, app: &TestApp, method: Method, path: &str, body: Option<&Value>) -> Response {
        let token = self.token();
        self.send(app, method, path, body, &[("x-csrf-token", &token)]).await
    }

    pub(crate) async fn refresh(&self, app: &TestApp) -> Response {
        self.change(app, Method::POST, "/api/v1/sessions/refresh", Some(&json!({}))).await
    }

    pub(crate) async fn me(&self, app: &TestApp) -> Response {
        self.send(app, Method::GET, "/api/v1/me", None, &[]).await
    }

    /// The names of what it keeps.
    pub(crate) fn names(&self) -> Vec<String> {
        self.all().into_iter().map(|(name, _)| name).collect()
    }

    fn take_cookies(&self, response: &Response) {
        for line in response.headers().get_all("set-cookie") {
            let (pair, attributes) = line.to_str().unwrap().split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.forget(name);
            if !attributes.contains("Max-Age=0;") {
                self.cookies.lock().unwrap_or_else(PoisonError::into_inner).push((name.to_owned(), value.to_owned()));
            }
        }
    }

    pub(crate) async fn keep_token(&self, response: Response) -> Value {
        let body: Value = response.json().await.unwrap();
        body["csrf_token"].as_str().unwrap().clone_into(&mut self.csrf_token.lock().unwrap());
        body
    }

    pub(crate) fn all(&self) -> Vec<(String, String)> {
        self.cookies.lock().unwrap().clone()
    }

    pub(crate) fn value(&self, name: &str) -> String {
        self.all().into_iter().find(|(known, _)| known == name).unwrap().1
    }

    pub(crate) fn token(&self) -> String {
        self.csrf_token.lock().unwrap().clone()
    }

    pub(crate) fn forget(&self, name: &str) {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, _)| known != name);
    }
}
