//! A server that sends no mail says so.

use std::path::Path;

use denizen_proto::v1;
use reqwest::Method;
use serde_json::json;
use tonic::Code;

use crate::grpc::{Rpc, refused};
use crate::harness::{on_both, problem};
use crate::process::Process;

/// What `APP_ENV=prod` asks for. Only there is no folder for mail in place of a mail server.
const SETTINGS: &[(&str, &str)] =
    &[("mail.folder", ""), ("security.argon2_memory_kib", "19456"), ("security.argon2_iterations", "2")];

on_both! {
    async fn what_needs_mail_is_not_offered_without(world: World) {
        let process = Process::start_in(&world, SETTINGS, &[("APP_ENV", Path::new("prod"))]).await;
        let body = json!({"email": "ada@example.com"});
        for path in ["password-resets", "email-verifications"] {
            let request = process.request(Method::POST, &format!("/api/v1/{path}"), None).json(&body);
            problem(request.send().await.unwrap(), 403, "not_offered").await;
        }
        let credentials = || Rpc::at(&process.url).credentials();
        let email = "ada@example.com".to_owned();
        let reset = v1::RequestPasswordResetRequest { email: email.clone() };
        refused(credentials().request_password_reset(reset).await, Code::PermissionDenied, "not_offered");
        let verification = v1::RequestEmailVerificationRequest { email };
        refused(credentials().request_email_verification(verification).await, Code::PermissionDenied, "not_offered");
    }
}
