//! `POST /oauth2/revoke` (RFC 7009): every kind of token, by every kind of caller.

use crate::harness::{SignedIn, on_both};
use crate::oauth2::{Program, basic, check_not_stored, refreshing, refused, send, users_status};

on_both! {
    async fn whoever_holds_a_token_of_a_session_revokes_it(app: TestApp) {
        let program = Program::create(&app, "users:read").await;
        let check = async |user: SignedIn, token: &str, header: Option<&str>, hint: &str| {
            let response = send(&app, "revoke", header, &[("token", token), ("token_type_hint", hint)]).await;
            check_not_stored(&response);
            assert_eq!(response.status(), 200);
            assert!(response.bytes().await.unwrap().is_empty());
            assert_eq!(app.me_status(&user.token).await, 401);
            refused(send(&app, "token", None, &refreshing(&user.refresh_token)).await, 400, "invalid_grant").await;
        };
        let user = app.user().await;
        check(user.clone(), &user.refresh_token, None, "refresh_token").await;
        let user = app.user().await;
        check(user.clone(), &user.token, None, "refresh_token").await;
        let user = app.user().await;
        check(user.clone(), &user.refresh_token, Some(&program.basic()), "nonsense").await;
        check(user.clone(), &user.refresh_token, None, "").await;
    }

    async fn what_is_not_good_is_revoked_already(app: TestApp) {
        let program = Program::create(&app, "users:read").await;
        for token in ["x", "dnr_", "dnk_", "a.b.c", &format!("{}A", program.secret), &"a".repeat(5000)] {
            for header in [None, Some(program.basic())] {
                assert_eq!(send(&app, "revoke", header.as_deref(), &[("token", token)]).await.status(), 200);
            }
            refused(send(&app, "revoke", Some(&basic("x", "y")), &[("token", token)]).await, 401, "invalid_client").await;
        }
    }

    async fn a_client_revokes_its_own_key_and_no_other(app: TestApp) {
        let (program, other) = (Program::create(&app, "users:read").await, Program::create(&app, "users:read").await);
        let token = program.token(&app, "users:read").await;
        for header in [None, Some(other.basic())] {
            refused(send(&app, "revoke", header.as_deref(), &[("token", &program.secret)]).await, 400, "invalid_grant").await;
        }
        refused(send(&app, "revoke", Some(&program.basic()), &[("token", &token)]).await, 400, "unsupported_token_type").await;
        assert_eq!(users_status(&app, &token).await, 200, "nothing happened yet");
        assert_eq!(send(&app, "revoke", Some(&program.basic()), &[("token", &program.secret)]).await.status(), 200);
        assert_eq!((users_status(&app, &token).await, users_status(&app, &program.secret).await), (401, 401));
        assert_eq!(users_status(&app, &other.secret).await, 200);
    }
}
