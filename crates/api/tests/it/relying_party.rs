//! A changed relying party id: passkeys of the former one stop working, so the change has to be accepted.

use denizen::Denizen;
use denizen_domain::id::UserId;
use reqwest::Method;
use serde_json::{Value, json};

use crate::authenticator::{Authenticator, encoded};
use crate::harness::{PASSWORD, on_both, problem};
use crate::passkeys::{MINE, SIGN_IN};
use crate::process::{Process, run_on};

const CHANGED: [(&str, &str); 2] = [("webauthn.rp_id", "example.com"), ("webauthn.origins", "https://example.com")];

fn changed(former: &str) -> Vec<(&str, &str)> {
    [&CHANGED[..], &[("webauthn.former_rp_ids", former)]].concat()
}

on_both! {
    async fn a_changed_relying_party_is_refused_in_one_line(world: World) {
        let app = world.serve(&[]).await;
        let (one, other) = (app.user().await, app.user().await);
        for user in [&one, &other, &other] {
            app.register(user, &mut app.authenticator()).await;
        }
        drop(app);
        Process::start(&world, &[]).await.kill().await;
        let refused = changed("old.example.com");
        for settings in [&CHANGED[..], &refused] {
            let done = run_on(&world, settings, &["serve"], "").await;
            let line = done.only_line(1);
            assert!(line.contains("webauthn.rp_id is \"example.com\""), "{line}");
            assert!(line.contains("would stop working (3 of \"localhost\")"), "{line}");
            assert!(line.contains("webauthn.former_rp_ids = [\"localhost\"]"), "{line}");
        }
        let refused = Denizen::builder().config(world.config(&CHANGED)).build().await;
        let error = refused.err().expect("the change is refused").to_string();
        assert!(error.contains("3 of \"localhost\""), "{error}");
        // The command line works with the same configuration.
        assert_eq!(run_on(&world, &CHANGED, &["users", "list"], "").await.code, 0);

        let accepted = changed("old.example.com,localhost");
        let server = Process::start(&world, &accepted).await;
        assert_eq!(server.status("/health/ready", None).await, 200);
        server.kill().await;
        let embedded = Denizen::builder().config(world.config(&accepted)).build().await.unwrap();
        embedded.stop().await;
        drop(embedded);
        // Set back, the server starts without the acceptance.
        Process::start(&world, &[]).await.kill().await;
    }

    async fn passkeys_of_another_relying_party_still_protect_the_account(world: World) {
        let before = world.serve(&[]).await;
        let user = before.user().await;
        let mut device = before.authenticator();
        let passkey = before.register(&user, &mut device).await;
        assert_eq!(passkey["rp_id"], "localhost");
        let codes = before.post_as("/api/v1/me/recovery-codes", &user.token, &json!({})).await;
        let code = codes.json::<Value>().await.unwrap()["recovery_codes"][0].clone();
        drop(before);

        let app = world.serve(&CHANGED).await;
        let list = app.json(MINE, &user.token).await;
        assert_eq!((&list["rp_id"], &list["data"][0]["rp_id"]), (&json!("example.com"), &json!("localhost")));
        // The browser does not offer it. If it is sent nevertheless, its owner must not delete it: the id may be set back.
        "https://example.com".clone_into(&mut device.origin);
        "example.com".clone_into(&mut device.rp_id);
        problem(app.passkey_sign_in(&mut device).await, 401, "invalid_passkey").await;

        // The change of the configuration did not turn the second factor off.
        let response = app.try_sign_in(&user.email, PASSWORD).await;
        assert_eq!(response.status(), 202);
        let body: Value = response.json().await.unwrap();
        let challenge = format!("/api/v1/sessions/challenges/{}", body["challenge_id"].as_str().unwrap());
        let response = app.request(Method::POST, &format!("{challenge}/passkey/options"), None).send().await.unwrap();
        problem(response, 404, "passkey_not_found").await;
        let response = app.request(Method::POST, &format!("{challenge}/totp"), None).send().await.unwrap();
        problem(response, 409, "second_factor_present").await;
        assert_eq!(app.post(&challenge, &json!({"code": code})).await.status(), 201);

        // A new passkey works beside the former one, which is not a sign-in method any more.
        let mut new = Authenticator::new("https://example.com");
        let options = app.passkey_options(MINE, Some(&user.token)).await;
        assert_eq!(options["publicKey"]["excludeCredentials"], json!([]));
        let body = json!({"state": options["state"], "credential": new.create(&options["publicKey"])});
        let registered = app.post_as(MINE, &user.token, &body).await;
        assert_eq!(registered.status(), 201);
        let registered: Value = registered.json().await.unwrap();
        assert_eq!(app.passkey_sign_in(&mut new).await.status(), 201);
        let options = app.passkey_options("/api/v1/sessions/current/step-up", Some(&user.token)).await;
        let allowed = &options["publicKey"]["allowCredentials"];
        assert_eq!((allowed.as_array().unwrap().len(), &allowed[0]["id"]), (1, &json!(encoded(&new.credential_id))));
        let mut tx = app.services.store.write().await.unwrap();
        tx.remove_password(UserId::parse(&user.id).unwrap()).await.unwrap();
        tx.commit().await.unwrap();
        let of = |passkey: &Value| format!("{MINE}/{}", passkey["id"].as_str().unwrap());
        problem(app.delete(&of(&registered), &user.token).await, 409, "last_way_in").await;
        assert_eq!(app.delete(&of(&passkey), &user.token).await.status(), 204);
        problem(app.delete(&of(&registered), &user.token).await, 409, "last_way_in").await;
        let options = app.passkey_options(SIGN_IN, None).await;
        assert_eq!(options["publicKey"]["rpId"], "example.com");
    }

    async fn an_admin_resets_users_whose_passkeys_do_not_work(world: World) {
        let before = world.serve(&[]).await;
        let user = before.user().await;
        before.register(&user, &mut before.authenticator()).await;
        drop(before);
        let app = world.serve(&CHANGED).await;
        let admin = app.admin().await;
        assert_eq!(app.delete(&format!("{}/factors", user.path()), &admin.token).await.status(), 204);
        app.sign_in(&user.email).await;
    }
}
