//! Input as real clients, keyboards and proxies send it.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{PASSWORD, TestApp, fields_problem, on_both, problem};

async fn post_text(app: &TestApp, path: &str, body: &str) -> Response {
    let request = app.request(Method::POST, path, None).header("content-type", "application/json");
    request.body(body.to_owned()).send().await.unwrap()
}

on_both! {
    async fn every_fault_of_a_body_is_reported(app: TestApp) {
        let all = [("email", "required"), ("password", "required"), ("name", "required")];
        fields_problem(post_text(&app, "/api/v1/users", "{}").await, &all).await;
        let body = r#"{"zip":1,"email":7,"attributes":[],"shoe_size":42,"password":"x","name":null}"#;
        let error = problem(post_text(&app, "/api/v1/users", body).await, 400, "invalid_input").await;
        let mut fields: Vec<_> = error["fields"].as_array().unwrap().iter()
            .map(|at| (at["field"].as_str().unwrap(), at["code"].as_str().unwrap())).collect();
        fields.sort_unstable();
        assert_eq!(fields, [("attributes", "wrong_type"), ("email", "wrong_type"), ("name", "wrong_type"), ("shoe_size", "unknown_field"), ("zip", "unknown_field")]);
        fields_problem(post_text(&app, "/api/v1/sessions", r#"{"cookies":1}"#).await,
            &[("cookies", "wrong_type"), ("email", "required"), ("password", "required")]).await;
    }

    async fn an_empty_body_is_called_empty(app: TestApp) {
        for body in ["", " \r\n\t "] {
            let error = problem(post_text(&app, "/api/v1/users", body).await, 400, "invalid_json").await;
            assert!(error["message"].as_str().unwrap().contains("empty"), "{error}");
        }
    }

    async fn integers_keep_their_digits_or_are_refused(app: TestApp) {
        let user = app.user().await;
        let patch = async |attributes: &str| {
            let request = app.request(Method::PATCH, &user.path(), Some(&user.token)).header("content-type", "application/merge-patch+json");
            request.body(format!("{{\"attributes\":{attributes}}}")).send().await.unwrap()
        };
        for integer in ["9223372036854775808", "18446744073709551617", "-9223372036854775809", "123456789012345678901234567890"] {
            let refused = patch(&format!("{{\"deep\":[{{\"n\":{integer}}}]}}")).await;
            fields_problem(refused, &[("attributes.deep[0].n", "out_of_range")]).await;
        }
        let kept = r#"{"a":9223372036854775807,"b":-9223372036854775808,"c":"18446744073709551617","d":1e30}"#;
        assert_eq!(patch(kept).await.status(), 200);
        let text = app.get(&user.path(), &user.token).await.text().await.unwrap();
        for digits in ["\"a\":9223372036854775807", "\"b\":-9223372036854775808", "\"c\":\"18446744073709551617\""] {
            assert!(text.contains(digits), "{digits} in {text}");
        }
    }

    async fn tags_that_a_proxy_has_changed_still_match(app: TestApp) {
        let user = app.user().await;
        let tag = app.get(&user.path(), &user.token).await.headers()["etag"].to_str().unwrap().to_owned();
        let rename = async |tag: &str| {
            let request = app.request(Method::PATCH, &user.path(), Some(&user.token)).header("if-match", tag);
            request.json(&json!({"name": "B"})).send().await.unwrap()
        };
        for foreign in ["\"1.garbage\"", "W/\"1.garbage\"", "\"01.0\"", "\"1.0.0\"", "W/\"2.0\""] {
            problem(rename(foreign).await, 412, "stale").await;
        }
        assert_eq!(rename(&format!("W/{tag}")).await.status(), 200);
        problem(rename(&format!("W/{tag}")).await, 412, "stale").await;
        let tag = app.get(&user.path(), &user.token).await.headers()["etag"].to_str().unwrap().to_owned();
        let not_modified = app.request(Method::GET, &user.path(), Some(&user.token)).header("if-none-match", format!("W/{tag}"));
        assert_eq!(not_modified.send().await.unwrap().status(), 304);
        assert_eq!(rename(&format!("{}-gzip\"", tag.trim_end_matches('"'))).await.status(), 200);
    }

    async fn mail_comes_in_the_best_supported_language(app: TestApp) {
        let email = app.fresh_email();
        let body = json!({"email": email, "password": PASSWORD, "name": "A"});
        let request = app.request(Method::POST, "/api/v1/users", None).header("accept-language", "ca-ES,ca;q=0.9,es;q=0.8,en;q=0.5");
        assert_eq!(request.json(&body).send().await.unwrap().status(), 201);
        app.news_to(&email, "Confirma tu dirección de correo").await;
        let page = app.request(Method::GET, "/account/reset-password", None).header("accept-language", "ca-ES,ca;q=0.9,es;q=0.8");
        assert!(page.send().await.unwrap().text().await.unwrap().contains("<html lang=\"es\">"));
    }

    async fn a_user_agent_of_any_letters_is_shown(app: TestApp) {
        let user = app.user().await;
        let body = json!({"email": user.email, "password": PASSWORD, "label": "umlaut"});
        let agent = reqwest::header::HeaderValue::from_bytes("Zürich/1.0 (日本)".as_bytes()).unwrap();
        let request = app.request(Method::POST, "/api/v1/sessions", None).header("user-agent", agent);
        assert_eq!(request.json(&body).send().await.unwrap().status(), 201);
        let sessions: Vec<Value> = serde_json::from_value(app.json("/api/v1/sessions", &user.token).await).unwrap();
        let session = sessions.iter().find(|session| session["label"] == "umlaut").unwrap();
        assert_eq!(session["user_agent"], "Zürich/1.0 (日本)");
    }

    async fn names_and_locales_are_read_as_people_write_them(app: TestApp) {
        let user = app.user().await;
        let patch = async |body: Value| app.patch(&user.path(), &user.token, &body).await;
        for name in ["\u{200f}דוד כהן", "محمد\u{200e}", "\u{061c}علي"] {
            let response = patch(json!({"name": name})).await;
            assert_eq!(response.json::<Value>().await.unwrap()["name"], name);
        }
        assert_eq!(patch(json!({"name": "\u{200f}דוד כהן"})).await.status(), 200);
        let found: Value = app.json("/api/v1/users?q=%D7%93%D7%95%D7%93", &app.admin().await.token).await;
        assert_eq!(found[0]["id"], user.id.as_str(), "the mark is not part of what is searched");
        for name in ["\u{2800}", "\u{200b}\u{2060}", "\u{3164}", "\u{fe0f}", "\u{200e}", "Ada\u{200f}", "\u{202e}דוד"] {
            fields_problem(patch(json!({"name": name})).await, &[("name", "invalid_characters")]).await;
        }
        let response = patch(json!({"locale": "en_US"})).await;
        assert_eq!(response.json::<Value>().await.unwrap()["locale"], "en-US");
    }

    async fn a_caller_who_may_see_is_refused_as_forbidden(app: TestApp) {
        let user = app.user().await;
        let (reader, stranger) = (app.user_who_may("users:read sessions:read api_keys:read").await, app.user().await);
        let key: Value = app.post_as("/api/v1/api-keys", &user.token, &json!({"name": "ci", "scopes": []})).await.json().await.unwrap();
        let key = format!("/api/v1/api-keys/{}", key["id"].as_str().unwrap());
        let session = format!("/api/v1/sessions/{}", user.session_id);
        let all = format!("/api/v1/sessions?user_id={}", user.id);
        let replace = json!({"email": user.email, "name": "B"});
        for (who, status) in [(&reader, 403), (&stranger, 404)] {
            let answers = [
                app.patch(&user.path(), &who.token, &json!({"name": "B"})).await,
                app.put(&user.path(), &who.token, &replace).await,
                app.delete(&user.path(), &who.token).await,
                app.delete(&session, &who.token).await,
                app.delete(&all, &who.token).await,
                app.delete(&key, &who.token).await,
                app.post_as(&format!("{key}/rotate"), &who.token, &json!({})).await,
            ];
            let statuses: Vec<_> = answers.iter().map(|answer| answer.status().as_u16()).collect();
            assert_eq!(statuses, [status; 7]);
        }
        assert_eq!(app.get(&user.path(), &reader.token).await.status(), 200);
        problem(app.get(&user.path(), &stranger.token).await, 404, "user_not_found").await;
    }
}
