//! What is done only for addresses with an account does not begin right behind the answer, where the next request would
//! show it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::on_both;

/// The shortest delay: a fifth of the longest.
const DELAY_MIN: Duration = Duration::from_millis(200);
/// How long a mail takes at most, on a busy machine.
const DELAY_MAX: Duration = Duration::from_secs(8);

#[expect(clippy::disallowed_methods, reason = "how long a mail takes is real time")]
fn now() -> Instant {
    Instant::now()
}

on_both! {
    async fn mail_that_anybody_can_ask_for_is_not_looked_into_at_once(world: World) {
        let settings = [
            ("mail.request_delay_ms", "1000"),
            ("sign_in.mailed_codes", "true"),
            ("sign_in.magic_links", "true"),
        ];
        let app = world.serve(&settings).await;
        let requests = [
            ("/api/v1/password-resets", 1),
            ("/api/v1/email-verifications", 1),
            ("/api/v1/sessions/codes", 1),
            ("/api/v1/sessions/magic-links", 1),
        ];
        let mut asked = Vec::new();
        for (path, mails) in requests {
            let user = app.user().await;
            // The mail of the sign-up is no secret, and must not be taken for the one that is asked for.
            app.tokens_to(&user.email, "verify-email", 1).await;
            let before = app.letters_to(&user.email).len();
            let begun = now();
            let status = app.post(path, &json!({"email": user.email})).await.status();
            assert!(status.is_success(), "{path}: {status}");
            asked.push((path, user.email, before + mails, begun));
        }
        while let Some((path, email, mails, begun)) = asked.pop() {
            while app.letters_to(&email).len() < mails {
                assert!(begun.elapsed() < DELAY_MAX, "{path}: no mail");
                tokio::task::yield_now().await;
            }
            assert!(begun.elapsed() >= DELAY_MIN, "{path}: after {:?}", begun.elapsed());
        }
    }
}
