//! Attributes as claims of access tokens (`tokens.claims`).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_proto::v1;
use serde_json::{Value, json};

use crate::grpc::Rpc;
use crate::harness::{SignedIn, TestApp, on_both};
use crate::oauth2::{Program, send};
use crate::process::run_on;

const CLAIMS: &str = "plan=app_attributes.plan,https://example.com/team=app_attributes.team.id,theme=attributes.theme,big=app_attributes.big";

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

async fn set(app: &TestApp, user: &SignedIn, token: &str, attributes: Value) {
    assert_eq!(app.patch(&user.path(), token, &attributes).await.status(), 200, "{attributes}");
}

async fn refreshed(app: &TestApp, refresh_token: &str) -> (Value, String) {
    let response = app.post("/api/v1/sessions/refresh", &json!({"refresh_token": refresh_token})).await;
    let body: Value = response.json().await.unwrap();
    let token = body["access_token"].as_str().unwrap();
    assert_eq!(app.me_status(token).await, 200);
    (claims(token), body["refresh_token"].as_str().unwrap().to_owned())
}

on_both! {
    async fn chosen_attributes_are_in_the_token(world: World) {
        let app = world.serve(&[("tokens.claims", CLAIMS)]).await;
        let (admin, user) = (app.admin().await, app.user().await);
        let bare = claims(&user.token);
        assert_eq!(bare["email_verified"], false);
        assert_eq!((bare.get("plan"), bare.get("theme"), bare.get("https://example.com/team")), (None, None, None), "absent attributes");

        let app_attributes = json!({"plan": "p\"ro\u{1}", "team": {"id": [1, {"a": null}]}, "big": "x".repeat(900), "other": 1});
        set(&app, &user, &admin.token, json!({"app_attributes": app_attributes})).await;
        set(&app, &user, &user.token, json!({"attributes": {"theme": "dark", "plan": "mine"}})).await;
        for token in [app.sign_in(&user.email).await.token, user.token.clone()] {
            let found = claims(&token);
            let expected = if token == user.token { Value::Null } else { json!("p\"ro\u{1}") };
            assert_eq!(found.get("plan").unwrap_or(&Value::Null), &expected);
        }
        let (found, next) = refreshed(&app, &user.refresh_token).await;
        assert_eq!((&found["plan"], &found["theme"]), (&json!("p\"ro\u{1}"), &json!("dark")));
        assert_eq!(found["https://example.com/team"], json!([1, {"a": null}]));
        assert_eq!((found["sub"].as_str(), found["role"].as_str()), (Some(user.id.as_str()), Some("user")), "the others are as before");
        assert!(found["big"].is_string(), "it fits");

        set(&app, &user, &admin.token, json!({"app_attributes": {"plan": "x".repeat(2_000), "big": "small", "team": null}})).await;
        let (found, _) = refreshed(&app, &next).await;
        assert_eq!((found.get("plan"), &found["big"], found.get("https://example.com/team")), (None, &json!("small"), None), "too large, or gone");
    }

    async fn a_node_without_the_setting_accepts_the_token(world: World) {
        let app = world.serve(&[("tokens.claims", CLAIMS)]).await;
        let (admin, user) = (app.admin().await, app.user().await);
        set(&app, &user, &admin.token, json!({"app_attributes": {"plan": "pro"}})).await;
        let token = app.sign_in(&user.email).await.token;
        assert_eq!(claims(&token)["plan"], "pro");
        drop(app);
        let without = world.serve(&[]).await;
        assert_eq!(without.me_status(&token).await, 200);
        assert_eq!(claims(&without.sign_in(&user.email).await.token).get("plan"), None);
    }

    async fn introspection_returns_current_values(world: World) {
        let app = world.serve(&[("tokens.claims", CLAIMS)]).await;
        let (admin, user, program) = (app.admin().await, app.user().await, Program::create(&app, "").await);
        set(&app, &user, &admin.token, json!({"app_attributes": {"plan": "pro"}})).await;
        for token in [&user.token, &user.refresh_token] {
            let body: Value = send(&app, "introspect", Some(&program.basic()), &[("token", token)]).await.json().await.unwrap();
            assert_eq!((&body["plan"], body.get("theme"), &body["active"]), (&json!("pro"), None, &json!(true)));
        }
        let request = v1::IntrospectRequest { token: user.token.clone(), ..Default::default() };
        let found = Rpc::to(&app).by(&admin.token).tokens().introspect(request).await.unwrap().into_inner();
        assert_eq!(found.claims.unwrap().fields.into_keys().collect::<Vec<_>>(), ["plan"]);
        let own = send(&app, "introspect", Some(&program.basic()), &[("token", &program.secret)]).await.json::<Value>().await.unwrap();
        assert_eq!(own.get("plan"), None);
    }

    async fn claims_with_another_meaning_are_refused(world: World) {
        let many: Vec<_> = (0..17).map(|n| format!("c{n}=attributes.c{n}")).collect();
        for (value, expected) in [
            ("role=attributes.role", "standard claim"),
            ("plan=email", "standard claim"),
            ("a=attributes.a,a=attributes.b", "a twice"),
            (&many.join(","), "17 claims"),
        ] {
            let done = run_on(&world, &[("tokens.claims", value)], &["config", "check"], "").await;
            let line = done.only_line(2);
            assert!(line.starts_with("tokens.claims from environment ") && line.contains(expected), "{line}");
        }
    }
}
