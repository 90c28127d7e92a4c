//! Hooks of an application around sign-ins through a provider.

use serde_json::json;

use super::issuer::Issuer;
use super::{Browser, ada, exchange, signed_in};
use crate::embedded::hooks::hooked;
use crate::harness::{on_both, problem};

on_both! {
    async fn a_refused_first_sign_in_creates_no_user(world: World) {
        let issuer = Issuer::start().await;
        let on = hooked(&world, "sign_up", &issuer.settings(&[])).await;
        issuer.user(json!({"sub": "1", "email": "refused@example.com", "email_verified": true}));
        let code = Browser::new().sign_in(&on.app).await;
        problem(exchange(&on.app, &code).await, 403, "hook_refused").await;
        assert!(!on.exists("refused@example.com").await);

        issuer.user(ada());
        signed_in(&on.app, &Browser::new().sign_in(&on.app).await).await;
        for hook in ["before_sign_up", "after_sign_up", "after_sign_in"] {
            on.sees_once(hook, "ada@example.com").await;
        }
        assert_eq!(on.count("before_sign_in", "ada@example.com"), 0);
        signed_in(&on.app, &Browser::new().sign_in(&on.app).await).await;
        on.sees_once("before_sign_in", "ada@example.com").await;
        assert_eq!(on.count("before_sign_up", "ada@example.com"), 1);
    }

    async fn a_refused_sign_in_of_a_known_identity_opens_nothing(world: World) {
        let issuer = Issuer::start().await;
        let on = hooked(&world, "sign_in", &issuer.settings(&[])).await;
        issuer.user(json!({"sub": "1", "email": "refused@example.com", "email_verified": true}));
        signed_in(&on.app, &Browser::new().sign_in(&on.app).await).await;
        let code = Browser::new().sign_in(&on.app).await;
        problem(exchange(&on.app, &code).await, 403, "hook_refused").await;
    }
}
