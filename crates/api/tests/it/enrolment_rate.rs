//! A challenge that owes enrolment lets its holder make secrets, and does not let the log grow without bound.

use denizen_proto::v1;
use serde_json::{Value, json};
use tonic::Code;

use crate::grpc::{Rpc, refused};
use crate::harness::{PASSWORD, TestApp, on_both, problem};

/// A user whose role demands a second factor, and the challenge of a sign-in.
async fn challenged(app: &TestApp) -> (String, String) {
    let role = app.fresh_role("").await;
    let user = app.holder(&role).await;
    let admin = app.admin().await;
    let change = json!({"description": "", "permissions": [], "second_factor": "required"});
    assert_eq!(app.put(&format!("/api/v1/roles/{role}"), &admin.token, &change).await.status(), 200);
    (user.email.clone(), challenge_of(app, &user.email).await)
}

async fn challenge_of(app: &TestApp, email: &str) -> String {
    let response = app.try_sign_in(email, PASSWORD).await;
    assert_eq!(response.status(), 202);
    response.json::<Value>().await.unwrap()["challenge_id"].as_str().unwrap().to_owned()
}

on_both! {
    async fn secrets_of_a_challenge_are_made_at_a_bounded_rate(app: TestApp, "limits.account_writes_per_minute" = "5") {
        let (email, challenge) = challenged(&app).await;
        let path = format!("/api/v1/sessions/challenges/{challenge}/totp");
        for _ in 0..5 {
            assert_eq!(app.post(&path, &json!({})).await.status(), 201);
        }
        problem(app.post(&path, &json!({})).await, 429, "too_many_requests").await;
        // Another challenge of the user makes as many, until the rate of the account is reached; over another transport too.
        let mut made = 5;
        loop {
            let request = v1::EnrolChallengeRequest { challenge_id: challenge_of(&app, &email).await };
            let answer = Rpc::to(&app).sessions().enrol_challenge(request).await;
            if answer.is_err() {
                refused(answer, Code::ResourceExhausted, "too_many_requests");
                break;
            }
            made += 1;
            assert!(made < 20);
        }
        assert!((9..12).contains(&made), "{made}");
    }
}
