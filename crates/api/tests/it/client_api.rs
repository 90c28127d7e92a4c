//! The typed client of `denizen-client` against this server.

use std::time::Duration;

use denizen_client::api::{
    Api, CreateApiKey, CreateRole, CreateServiceAccount, CreateUser, CreateWebhook, EventsListQuery, PatchUser,
    PermissionName, ReplaceRole, RolesListQuery, SessionTokens, SignIn, SignInResult, SignedIn, UsersListQuery,
};
use futures_util::TryStreamExt;
use serde_json::json;

use crate::harness::{TestApp, on_both};

const PASSWORD: &str = "correct horse battery";

fn api(app: &TestApp, token: &str) -> Api {
    Api::builder(&app.url).access_token(token).build().unwrap()
}

on_both! {
    async fn users_are_created_listed_changed_and_deleted(app: TestApp) {
        let api = api(&app, &app.admin().await.token);
        let email = |number: u32| format!("grace-{number}@example.com");
        for number in 0..5 {
            let new = CreateUser::new(email(number), "Grace", PASSWORD).locale("en").role("user");
            let created = api.users().create(&new).await.unwrap().unwrap();
            assert_eq!((created.email.as_str(), created.locale.as_deref()), (email(number).as_str(), Some("en")));
        }
        let query = UsersListQuery::new().q("grace").limit(2).count(true);
        let page = api.users().list(&query).await.unwrap();
        assert_eq!((page.items.len(), page.total, page.is_total_limited), (2, Some(5), false));
        assert_eq!(page.items[0].email, email(4));
        let users: Vec<_> = api.users().list(&query).stream().try_collect().await.unwrap();
        let emails: Vec<_> = users.iter().map(|user| user.email.clone()).collect();
        assert_eq!(emails, [4, 3, 2, 1, 0].map(email));

        let id = users[0].id;
        let (user, etag) = api.users().get(id).with_etag().await.unwrap();
        let attributes = json!({"theme": "dark"}).as_object().unwrap().clone();
        let patch = PatchUser::new().name("Grace Hopper").remove_locale().attributes(attributes);
        let changed = api.users().update(id, &patch).if_match(etag.clone().unwrap()).await.unwrap();
        assert_eq!((changed.name.as_str(), changed.locale), ("Grace Hopper", None));
        assert_eq!(changed.attributes["theme"], "dark");
        assert!(changed.updated_at > user.updated_at);
        let stale = api.users().update(id, &patch).if_match(etag.unwrap()).await.unwrap_err();
        assert_eq!(stale.refusal().map(|refusal| refusal.status), Some(412));

        api.users().delete(id).await.unwrap();
        assert_eq!(api.users().get(id).await.unwrap_err().code(), Some("user_not_found"));
    }

    async fn a_repeated_request_creates_one(app: TestApp) {
        let api = api(&app, &app.admin().await.token);
        let new = CreateUser::new("ada@example.com", "Ada", PASSWORD);
        let first = api.users().create(&new).idempotency_key("order-4711").await.unwrap().unwrap();
        let again = api.users().create(&new).idempotency_key("order-4711").await.unwrap().unwrap();
        assert_eq!(first, again);
        let taken = api.users().create(&new).await.unwrap_err();
        assert_eq!(taken.code(), Some("email_taken"));
        let refusal = taken.refusal().unwrap();
        assert!(refusal.status == 409 && !refusal.request_id.is_empty(), "{refusal:?}");
        assert_eq!((refusal.fields[0].field.as_str(), refusal.fields[0].code.as_str()), ("email", "taken"));
        let invalid = CreateUser::new("ada", "", "short");
        let invalid = api.users().create(&invalid).await.unwrap_err();
        let fields: Vec<_> = invalid.refusal().unwrap().fields.iter().map(|field| field.field.as_str()).collect();
        assert_eq!(fields, ["email", "password", "name"]);
    }

    async fn roles_keys_webhooks_and_events(app: TestApp) {
        let admin = api(&app, &app.admin().await.token);
        let role = CreateRole::new("analyst", vec![PermissionName::UsersRead]).description("Reads");
        let role = admin.roles().create(&role).await.unwrap();
        let permissions = vec![PermissionName::UsersRead, PermissionName::EventsRead];
        let replaced = admin.roles().replace("analyst", &ReplaceRole::new(permissions.clone())).await.unwrap();
        assert_eq!((replaced.id, &replaced.permissions), (role.id, &permissions));
        let roles: Vec<_> = admin.roles().list(&RolesListQuery::new()).stream().try_collect().await.unwrap();
        assert_eq!(roles.iter().map(|role| role.name.as_str()).filter(|name| *name == "analyst").count(), 1);

        let account = CreateServiceAccount::new("reports").role("analyst");
        let account = admin.service_accounts().create(&account).await.unwrap();
        let key = CreateApiKey::new("reports", vec![PermissionName::EventsRead]).service_account_id(account.id);
        let key = admin.api_keys().create(&key).await.unwrap();
        assert!(key.key.expose().starts_with("dnk_") && !format!("{key:?}").contains(key.key.expose()));
        let program = Api::builder(&app.url).api_key(key.key).build().unwrap();
        assert_eq!(program.me().get().await.unwrap_err().refusal().map(|refusal| refusal.status), Some(403));
        let refused = program.roles().delete("analyst").await.unwrap_err();
        assert_eq!(refused.refusal().map(|refusal| refusal.status), Some(403));

        let hook = CreateWebhook::new("https://hooks.example.com/denizen").types(vec!["user.*".to_owned()]);
        let hook = admin.webhooks().create(&hook).await.unwrap();
        assert!(hook.secret.expose().starts_with("whsec_"));
        admin.webhooks().delete(hook.webhook.id).await.unwrap();

        let events = program.events().list(&EventsListQuery::new().types("role.*").limit(1)).stream();
        let events: Vec<_> = events.try_collect().await.unwrap();
        let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, ["role.created", "role.updated"]);
        assert_eq!(events[0].subject.as_deref(), Some(role.id.to_string().as_str()));
    }

    async fn a_session_is_refreshed(app: TestApp) {
        let user = app.user().await;
        let anonymous = Api::builder(&app.url).build().unwrap();
        let signed_in = anonymous.sessions().create(&SignIn::new(&user.email, PASSWORD).label("laptop")).await.unwrap();
        let SignInResult::SignedIn(SignedIn::SignedInWithTokens(tokens)) = signed_in else { panic!("{signed_in:?}") };
        let mut tokens = SessionTokens::from(&tokens);
        let (old, first) = (tokens.access_token.clone(), tokens.refresh_token.clone());
        // As if it were about to expire.
        tokens.expires_in_s = 10;
        let api = Api::builder(&app.url).session(tokens).deadline(Duration::from_secs(20)).build().unwrap();
        let (a, b) = tokio::join!(api.me().get(), api.me().get());
        assert_eq!((a.unwrap().user.email, b.unwrap().user.email), (user.email.clone(), user.email));
        let tokens = api.session_tokens().unwrap();
        assert!(tokens.access_token != old && tokens.refresh_token != first && tokens.expires_in_s > 10);

        api.sessions().end_current().await.unwrap();
        assert_eq!(api.me().get().await.unwrap_err().refusal().map(|refusal| refusal.status), Some(401));
    }
}
