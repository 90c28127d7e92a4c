//! Which passwords can be chosen, by whom, and what the answer tells of them.

use denizen_domain::credentials::{self, NewPassword};
use denizen_domain::error::Error;
use denizen_domain::id::UserId;
use reqwest::Response;
use serde_json::json;

use crate::harness::{PASSWORD, SignedIn, TestApp, field_problem, on_both};

const STRENGTH: &str = "password-strength";

async fn sign_up(app: &TestApp, email: &str, password: &str) -> Response {
    let body = json!({"email": email, "password": password, "name": "Ada Lovelace"});
    app.post("/api/v1/users", &body).await
}

async fn change(app: &TestApp, user: &SignedIn, new: &str) -> Response {
    let body = json!({"current_password": PASSWORD, "new_password": new});
    app.put("/api/v1/me/password", &user.token, &body).await
}

/// Sets the password as the command line does; the code of the field at fault.
async fn set(app: &TestApp, user: &SignedIn, new: &str) -> Option<&'static str> {
    let new = NewPassword::parse(&new.into(), 8).unwrap();
    match credentials::set(&app.operator(), UserId::parse(&user.id).unwrap(), new).await {
        Ok(()) => None,
        Err(Error::Invalid(fields)) => Some(fields[0].code),
        Err(error) => panic!("{error}"),
    }
}

on_both! {
    async fn common_passwords_are_refused_wherever_one_is_chosen(app: TestApp) {
        let user = app.user().await;
        for common in ["password", "P@ssw0rd1!", "12345678", "Summer2024!", "qwertyuiop", "aaaaaaaa"] {
            field_problem(sign_up(&app, &app.fresh_email(), common).await, "password", "common_password").await;
            field_problem(change(&app, &user, common).await, "new_password", "common_password").await;
        }
    }

    async fn the_words_of_user_and_product_are_refused_wherever_one_is_chosen(app: TestApp, "product.name" = "Acme Cloud") {
        let user = app.user().await;
        for made_of_them in ["Lovelace1815", "ada.lovelace", "AcmeCloud99!", "grace.h@navy.example"] {
            let refused = sign_up(&app, "grace.h@navy.example", made_of_them).await;
            field_problem(refused, "password", "contains_context").await;
        }
        for made_of_them in ["SomeBody7", "acme-cloud", &user.email] {
            field_problem(change(&app, &user, made_of_them).await, "new_password", "contains_context").await;
            assert_eq!(set(&app, &user, made_of_them).await, Some("contains_context"));
        }
        assert_eq!(app.try_sign_in(&user.email, PASSWORD).await.status(), 201, "nothing was changed");
        assert_eq!(set(&app, &user, "Lovelace1815").await, None, "somebody else's name");
    }

    async fn a_refusal_says_what_is_better_and_quotes_nothing(app: TestApp) {
        for chosen in ["Dragonfly77", "Lovelace1815"] {
            let answer = sign_up(&app, "a@example.com", chosen).await;
            assert_eq!((answer.status().as_u16(), answer.headers().get(STRENGTH)), (400, None));
            let answer = answer.text().await.unwrap();
            assert!(answer.contains("unrelated words") && !answer.contains(chosen), "{answer}");
        }
    }

    async fn whoever_chose_a_password_is_told_its_strength(app: TestApp) {
        for (chosen, strength) in [("fq8w0zkx", "fair"), (PASSWORD, "good"), ("drei graue Igel im Nebel", "strong")] {
            let user = app.user().await;
            assert_eq!(sign_up(&app, &app.fresh_email(), chosen).await.headers()[STRENGTH], strength);
            let answer = change(&app, &user, chosen).await;
            assert_eq!((answer.status().as_u16(), answer.headers()[STRENGTH].to_str().unwrap()), (204, strength));
        }
    }

    async fn a_replayed_answer_does_not_tell_the_strength(app: TestApp) {
        let body = json!({"email": app.fresh_email(), "password": PASSWORD, "name": "Ada Lovelace"});
        let post = || app.request(reqwest::Method::POST, "/api/v1/users", None).header("idempotency-key", "once").json(&body);
        assert!(post().send().await.unwrap().headers().contains_key(STRENGTH));
        let replayed = post().send().await.unwrap();
        assert!(replayed.headers().contains_key("idempotency-replayed") && !replayed.headers().contains_key(STRENGTH));
    }
}
