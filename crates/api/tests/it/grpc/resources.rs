//! The other services, one by one.

use denizen_proto::v1;
use tonic::Code;

use super::client::{Rpc, refused};
use crate::harness::{PASSWORD, eventually, on_both};
use crate::webhook_sinks::{Mood, Sink};

fn client(id: &str, secret: &str) -> v1::ClientCredentials {
    v1::ClientCredentials { client_id: id.to_owned(), client_secret: secret.to_owned() }
}

on_both! {
    async fn a_session_goes_on_and_ends(app: TestApp) {
        let user = app.user().await;
        let rpc = Rpc::to(&app);
        let credentials = v1::SignInRequest { email: user.email.clone(), password: PASSWORD.into(), label: Some("Laptop".into()), ..Default::default() };
        let opened = rpc.sessions().sign_in(credentials.clone()).await.unwrap().into_inner();
        let tokens = opened.tokens.unwrap();
        assert_eq!(opened.user.unwrap().id, user.id);
        let wrong = v1::SignInRequest { password: "wrong horse battery".into(), ..credentials };
        refused(rpc.sessions().sign_in(wrong.clone()).await, Code::Unauthenticated, "invalid_credentials");
        let unknown = v1::SignInRequest { email: "unknown@example.com".into(), ..wrong };
        refused(rpc.sessions().sign_in(unknown).await, Code::Unauthenticated, "invalid_credentials");

        let next = v1::RefreshSessionRequest { refresh_token: tokens.refresh_token };
        let next = rpc.sessions().refresh_session(next).await.unwrap().into_inner();
        assert_eq!(next.session_id, opened.session_id);
        let tokens = next.tokens.unwrap();
        let mine = rpc.by(&tokens.access_token);
        let listed = mine.sessions().list_sessions(v1::ListSessionsRequest::default()).await.unwrap().into_inner();
        let current: Vec<_> = listed.sessions.iter().filter(|session| session.is_current).collect();
        assert_eq!(current.len(), 1);
        assert_eq!((current[0].id.as_str(), current[0].label.as_deref()), (opened.session_id.as_str(), Some("Laptop")));
        assert!(current[0].address.is_some() && current[0].user_agent.as_deref().unwrap().contains("tonic"));

        let others = v1::RevokeAllSessionsRequest { keep_current: true, ..Default::default() };
        assert_eq!(mine.sessions().revoke_all_sessions(others).await.unwrap().into_inner().ended, 1);
        assert_eq!(app.me_status(&user.token).await, 401);
        mine.sessions().sign_out(v1::SignOutRequest {}).await.unwrap();
        refused(mine.users().get_me(v1::GetMeRequest {}).await, Code::Unauthenticated, "invalid_token");
        refused(rpc.sessions().refresh_session(v1::RefreshSessionRequest::default()).await, Code::InvalidArgument, "invalid_input");
    }

    async fn tokens_are_granted_looked_at_and_revoked(app: TestApp) {
        let account = app.service_account("admin").await;
        let key = app.service_key(&account, "users:read").await;
        let rpc = Rpc::to(&app);
        let ask = |client, scope: Option<&str>| v1::GrantTokenRequest { client, refresh_token: None, scope: scope.map(str::to_owned) };
        let granted = rpc.tokens().grant_token(ask(Some(client(&account, &key.secret)), None)).await.unwrap().into_inner();
        assert_eq!((granted.scope.as_str(), granted.refresh_token), ("users:read", None));
        let more = rpc.tokens().grant_token(ask(Some(client(&account, &key.secret)), Some("users:write"))).await;
        refused(more, Code::InvalidArgument, "invalid_scope");
        refused(rpc.tokens().grant_token(ask(Some(client(&account, "dnk_forged")), None)).await, Code::Unauthenticated, "invalid_client");
        refused(rpc.tokens().grant_token(ask(None, None)).await, Code::Unauthenticated, "invalid_client");

        let user = app.user().await;
        let look = |token: &str, client| v1::IntrospectRequest { token: token.to_owned(), client };
        let told = rpc.tokens().introspect(look(&user.token, Some(client(&account, &key.secret)))).await.unwrap().into_inner();
        assert!(told.active);
        assert_eq!(told.kind(), v1::TokenKind::AccessToken);
        assert_eq!(told.subject, Some(v1::introspect_response::Subject::UserId(user.id.clone())));
        assert_eq!((told.email.as_deref(), told.session_id.as_ref()), (Some(user.email.as_str()), Some(&user.session_id)));
        assert_eq!((told.client_id.as_deref(), told.email_verified), (Some("denizen"), Some(false)));
        let public = v1::ClientCredentials { client_id: "denizen".into(), client_secret: String::new() };
        refused(rpc.tokens().grant_token(ask(Some(public.clone()), None)).await, Code::Unauthenticated, "invalid_client");
        refused(rpc.tokens().introspect(look(&user.token, Some(public.clone()))).await, Code::Unauthenticated, "invalid_client");
        let other = app.user().await;
        let refresh = v1::GrantTokenRequest { refresh_token: Some(other.refresh_token), ..ask(Some(public), None) };
        assert!(rpc.tokens().grant_token(refresh).await.unwrap().into_inner().refresh_token.is_some());
        let by_bearer = rpc.by(&granted.access_token);
        assert!(by_bearer.tokens().introspect(look(&user.refresh_token, None)).await.unwrap().into_inner().active);
        let twice = by_bearer.tokens().introspect(look(&user.token, Some(client(&account, &key.secret)))).await;
        refused(twice, Code::InvalidArgument, "invalid_request");

        rpc.tokens().revoke(v1::RevokeRequest { token: user.refresh_token.clone(), client: None }).await.unwrap();
        let told = by_bearer.tokens().introspect(look(&user.token, None)).await.unwrap().into_inner();
        assert_eq!(told, v1::IntrospectResponse::default(), "of one that is not good nothing else is told");
        let theirs = rpc.tokens().revoke(v1::RevokeRequest { token: key.secret.clone(), client: None }).await;
        refused(theirs, Code::InvalidArgument, "invalid_grant");
        let keys = rpc.tokens().get_keys(v1::GetKeysRequest {}).await.unwrap().into_inner().keys;
        let jwks = app.json("/.well-known/jwks.json", "").await;
        assert_eq!(jwks["keys"][0]["kid"], keys[0].kid);
        assert_eq!((jwks["keys"][0]["x"].as_str(), keys[0].r#use.as_str()), (Some(keys[0].x.as_str()), "sig"));
    }

    async fn a_role_changes_in_part(app: TestApp) {
        let admin = app.admin().await;
        let rpc = Rpc::to(&app).by(&admin.token);
        let new = v1::CreateRoleRequest { name: "support".into(), description: "Helps.".into(), permissions: vec!["users:read".into()], ..Default::default() };
        let made = rpc.roles().create_role(new.clone()).await.unwrap().into_inner().role.unwrap();
        refused(rpc.roles().create_role(new).await, Code::AlreadyExists, "role_name_taken");
        let update = async |role, paths: &[&str]| {
            let update_mask = Some(prost_types::FieldMask { paths: paths.iter().map(ToString::to_string).collect() });
            rpc.roles().update_role(v1::UpdateRoleRequest { role: Some(role), update_mask }).await
        };
        let said = v1::Role { id: made.id.clone(), description: "Helps all.".into(), etag: made.etag.clone(), ..Default::default() };
        let changed = update(said.clone(), &["description"]).await.unwrap().into_inner().role.unwrap();
        assert_eq!((changed.description.as_str(), &changed.permissions), ("Helps all.", &made.permissions));
        refused(update(said.clone(), &["description"]).await, Code::Aborted, "stale");
        let all = update(v1::Role { etag: String::new(), ..said }, &["*"]).await.unwrap().into_inner().role.unwrap();
        assert!(all.permissions.is_empty());
        let built_in = v1::Role { name: "admin".into(), ..Default::default() };
        refused(update(built_in, &["permissions"]).await, Code::FailedPrecondition, "role_built_in");
        let got = rpc.roles().get_role(v1::GetRoleRequest { role: "support".into() }).await.unwrap().into_inner();
        assert_eq!(got.role.unwrap(), all);
        let catalogue = rpc.roles().list_permissions(v1::ListPermissionsRequest {}).await.unwrap().into_inner();
        assert!(catalogue.permissions.iter().any(|permission| permission.name == "users:read"));
    }

    async fn a_program_and_its_key_work_over_grpc(app: TestApp) {
        let admin = app.admin().await;
        let rpc = Rpc::to(&app);
        let by_admin = rpc.by(&admin.token);
        let new = v1::CreateServiceAccountRequest { name: "Billing".into(), role: Some("admin".into()), ..Default::default() };
        let account = by_admin.service_accounts().create_service_account(new).await.unwrap().into_inner().service_account.unwrap();
        assert_eq!(account.status(), v1::AccountStatus::Active);
        let new = v1::CreateApiKeyRequest { name: "A key".into(), scopes: vec!["users:read".into()], service_account_id: Some(account.id.clone()), ..Default::default() };
        let issued = by_admin.api_keys().create_api_key(new).await.unwrap().into_inner();
        let key = issued.api_key.unwrap();
        assert_eq!(key.owner, Some(v1::api_key::Owner::ServiceAccountId(account.id.clone())));
        let by_key = rpc.by(&issued.secret);
        by_key.users().list_users(v1::ListUsersRequest::default()).await.unwrap();
        refused(by_key.users().get_me(v1::GetMeRequest {}).await, Code::PermissionDenied, "forbidden");

        let rotate = v1::RotateApiKeyRequest { id: key.id.clone(), etag: String::new(), overlap: Some(prost_types::Duration { seconds: 0, nanos: 0 }) };
        let rotated = by_admin.api_keys().rotate_api_key(rotate.clone()).await.unwrap().into_inner();
        refused(by_key.users().list_users(v1::ListUsersRequest::default()).await, Code::Unauthenticated, "invalid_token");
        let long = v1::RotateApiKeyRequest { overlap: Some(prost_types::Duration { seconds: i64::MAX, nanos: 0 }), ..rotate };
        refused(by_admin.api_keys().rotate_api_key(long).await, Code::InvalidArgument, "invalid_input");

        let disabled = v1::ServiceAccount { id: account.id.clone(), status: v1::AccountStatus::Disabled.into(), ..Default::default() };
        let disabled = v1::UpdateServiceAccountRequest { service_account: Some(disabled), update_mask: None };
        let disabled = by_admin.service_accounts().update_service_account(disabled).await.unwrap().into_inner().service_account.unwrap();
        assert_eq!((disabled.status(), disabled.name.as_str()), (v1::AccountStatus::Disabled, "Billing"));
        refused(rpc.by(&rotated.secret).users().list_users(v1::ListUsersRequest::default()).await, Code::Unauthenticated, "invalid_token");
        by_admin.service_accounts().delete_service_account(v1::DeleteServiceAccountRequest { id: account.id, ..Default::default() }).await.unwrap();
        refused(by_admin.api_keys().get_api_key(v1::GetApiKeyRequest { id: key.id }).await, Code::NotFound, "api_key_not_found");
    }

    async fn signing_keys_rotate(app: TestApp) {
        let admin = app.admin().await;
        let rpc = Rpc::to(&app).by(&admin.token);
        let at_once = v1::RotateSigningKeyRequest { takeover: v1::Takeover::Immediate.into() };
        let made = rpc.signing_keys().rotate_signing_key(at_once).await.unwrap().into_inner().signing_key.unwrap();
        assert_eq!(made.state(), v1::SigningKeyState::Current);
        let listed = rpc.signing_keys().list_signing_keys(v1::ListSigningKeysRequest {}).await.unwrap().into_inner().signing_keys;
        let states: Vec<_> = listed.iter().map(v1::SigningKey::state).collect();
        assert_eq!(states, [v1::SigningKeyState::Current, v1::SigningKeyState::Previous]);
        rpc.signing_keys().withdraw_signing_key(v1::WithdrawSigningKeyRequest { id: made.id }).await.unwrap();
        let unknown = rpc.signing_keys().withdraw_signing_key(v1::WithdrawSigningKeyRequest { id: "unknown".into() }).await;
        refused(unknown, Code::NotFound, "signing_key_not_found");
        let odd = rpc.signing_keys().rotate_signing_key(v1::RotateSigningKeyRequest { takeover: 99 }).await;
        refused(odd, Code::InvalidArgument, "invalid_input");
    }

    async fn a_webhook_changes_in_part_and_shows_its_deliveries(
        app: TestApp, "webhooks.allowed_hosts" = "127.0.0.1", "webhooks.retry_first_ms" = "20"
    ) {
        let admin = app.admin().await;
        let rpc = Rpc::to(&app).by(&admin.token);
        let sink = Sink::that(Mood::Answer(200, "ok")).await;
        let new = v1::CreateWebhookRequest { url: sink.url.clone(), types: vec!["user.created".into()], description: "CRM".into() };
        let made = rpc.webhooks().create_webhook(new).await.unwrap().into_inner();
        let (webhook, secret) = (made.webhook.unwrap(), made.secret);
        assert!(secret.starts_with("whsec_") && webhook.status() == v1::WebhookStatus::Active);
        let named = v1::Webhook { id: webhook.id.clone(), description: "Another".into(), etag: webhook.etag.clone(), ..Default::default() };
        let update = v1::UpdateWebhookRequest { webhook: Some(named), update_mask: None };
        let changed = rpc.webhooks().update_webhook(update.clone()).await.unwrap().into_inner().webhook.unwrap();
        assert_eq!((changed.description.as_str(), &changed.url, &changed.types), ("Another", &sink.url, &webhook.types));
        refused(rpc.webhooks().update_webhook(update).await, Code::Aborted, "stale");

        app.user().await;
        let list = |state: v1::DeliveryState| v1::ListDeliveriesRequest { webhook_id: webhook.id.clone(), state: state.into(), with_total_size: true, ..Default::default() };
        eventually("it is delivered", std::time::Duration::from_secs(20), async || {
            rpc.webhooks().list_deliveries(list(v1::DeliveryState::Delivered)).await.unwrap().into_inner().total_size == Some(1)
        }).await;
        assert!(sink.came()[0].is_signed_by(&[&secret]));
        let listed = rpc.webhooks().list_deliveries(list(v1::DeliveryState::Unspecified)).await.unwrap().into_inner().deliveries;
        let attempt = listed[0].last_attempt.as_ref().unwrap();
        assert_eq!((attempt.status, attempt.answer.as_str(), attempt.error.as_ref()), (Some(200), "ok", None));
        let of = v1::GetDeliveryRequest { webhook_id: webhook.id.clone(), id: listed[0].id.clone() };
        assert_eq!(rpc.webhooks().get_delivery(of).await.unwrap().into_inner().delivery.as_ref(), Some(&listed[0]));
        let again = v1::RetryDeliveryRequest { webhook_id: webhook.id.clone(), id: listed[0].id.clone() };
        rpc.webhooks().retry_delivery(again).await.unwrap();
        eventually("it arrives again", std::time::Duration::from_secs(20), async || sink.came().len() == 2).await;
        let rotate = v1::RotateWebhookSecretRequest { id: webhook.id.clone(), ..Default::default() };
        assert_ne!(rpc.webhooks().rotate_webhook_secret(rotate).await.unwrap().into_inner().secret, secret);
        let long = Some(prost_types::Duration { seconds: 1, nanos: 1 });
        let rotate = v1::RotateWebhookSecretRequest { id: webhook.id.clone(), overlap: long, ..Default::default() };
        refused(rpc.webhooks().rotate_webhook_secret(rotate).await, Code::InvalidArgument, "invalid_input");
        let tested = rpc.webhooks().test_webhook(v1::TestWebhookRequest { id: webhook.id.clone() }).await.unwrap().into_inner();
        assert!(tested.delivered && tested.attempt.unwrap().status == Some(200));
    }
}
