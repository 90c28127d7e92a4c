//! The log over gRPC: pages and streams.

use denizen_proto::v1;
use denizen_proto::v1::revocation::Revoked;
use denizen_proto::v1::watch_revocations_response;
use serde_json::json;
use tonic::Code;
use tonic_types::StatusExt;

use super::client::{Rpc, refused};
use super::followers::{Follow, Told, Watch, all, ended, message, rename, start};
use crate::harness::on_both;

on_both! {
    async fn an_event_is_that_of_rest(app: TestApp) {
        let admin = app.admin().await;
        let user = app.user().await;
        rename(&app, &user, "Ada").await;
        let rpc = Rpc::to(&app).by(&admin.token);
        let events = all(&rpc).await;
        let over_rest = app.json("/api/v1/events?limit=200", &admin.token).await;
        let over_rest = over_rest.as_array().unwrap();
        assert_eq!(events.len(), over_rest.len());
        for (event, body) in events.iter().zip(over_rest) {
            let actor = event.actor.as_ref().unwrap();
            let told = json!({
                "cursor": event.cursor, "id": event.id, "type": event.r#type, "subject": event.subject,
                "actor": actor.id.as_ref().map_or(json!({"type": actor.r#type}), |id| json!({"type": actor.r#type, "id": id})),
            });
            for (name, value) in told.as_object().unwrap() {
                assert_eq!(*value, body[name], "{name} of {body}");
            }
            let names: Vec<_> = event.data.as_ref().unwrap().fields.keys().collect();
            assert_eq!(names, body["data"].as_object().unwrap().keys().collect::<Vec<_>>());
            assert!(event.occurred_at.is_some());
        }
        let types = vec!["user.*".to_owned()];
        let of_users = rpc.events().list_events(v1::ListEventsRequest { types, ..Default::default() }).await.unwrap();
        let of_users = of_users.into_inner().events;
        assert!(!of_users.is_empty() && of_users.iter().all(|event| event.r#type.starts_with("user.")));
        let mine = Rpc::to(&app).by(&user.token).events().list_my_events(v1::ListMyEventsRequest::default()).await;
        let mine = mine.unwrap().into_inner().events;
        let about_user: Vec<_> = events.iter().filter(|event| event.subject.as_ref() == Some(&user.id)).collect();
        assert_eq!(mine.iter().collect::<Vec<_>>(), about_user);
    }

    async fn what_cannot_be_asked_is_refused(app: TestApp) {
        let admin = app.admin().await;
        let rpc = Rpc::to(&app).by(&admin.token);
        let asks = [
            v1::ListEventsRequest { page_size: -1, ..Default::default() },
            v1::ListEventsRequest { page_token: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into(), ..Default::default() },
            v1::ListEventsRequest { types: vec!["no.such".into()], ..Default::default() },
            v1::ListEventsRequest { types: vec!["user.created".into(); 201], ..Default::default() },
            v1::ListEventsRequest { types: vec!["user.created,".repeat(5_000)], ..Default::default() },
            v1::ListEventsRequest { types: vec![" ".into()], ..Default::default() },
        ];
        for ask in asks {
            refused(rpc.events().list_events(ask).await, Code::InvalidArgument, "invalid_input");
        }
        let much = v1::ListEventsRequest { page_size: i32::MAX, ..Default::default() };
        rpc.events().list_events(much).await.expect("as much as there can be");
        for (after, types) in [("x", vec![]), ("", vec!["nothing"]), ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", vec![])] {
            let watching = Watch::start(&rpc, after, &types).await;
            refused(watching.map(|_| ()), Code::InvalidArgument, "invalid_input");
        }
    }

    async fn it_goes_on_without_a_gap_or_a_repetition(app: TestApp) {
        let admin = app.admin().await;
        let user = app.user().await;
        for name in ["One", "Two", "Three", "Four"] {
            rename(&app, &user, name).await;
        }
        let rpc = Rpc::to(&app).by(&admin.token);
        let before = all(&rpc).await;
        let mut watch = Watch::start(&rpc, &before[2].cursor, &[]).await.unwrap();
        let (told, cursor) = watch.caught_up().await;
        assert_eq!(told, before[3..]);
        assert_eq!(cursor, before.last().unwrap().cursor);
        rename(&app, &user, "Five").await;
        let live = watch.event().await;
        assert_eq!((live.r#type.as_str(), live.subject.as_ref()), ("user.updated", Some(&user.id)));
        drop(watch);
        rename(&app, &user, "Six").await;
        let (told, _) = Watch::start(&rpc, &live.cursor, &[]).await.unwrap().caught_up().await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(all(&rpc).await.last(), told.last());
    }

    async fn users_follow_what_concerns_them(app: TestApp) {
        let (user, other) = (app.user().await, app.user().await);
        let rpc = Rpc::to(&app).by(&user.token);
        let mut watch = Watch::start(&rpc, "", &[]).await.unwrap();
        watch.caught_up().await;
        let mut follow = Follow::start(&rpc, start("", 1)).await.unwrap();
        assert_eq!(follow.until_silent().await, (vec![], true));
        rename(&app, &other, "Other").await;
        rename(&app, &user, "Own").await;
        let told = watch.event().await;
        assert_eq!((told.r#type.as_str(), told.subject.as_ref()), ("user.updated", Some(&user.id)));
        assert_eq!(follow.next().await.unwrap(), Told::Event(told));
    }

    async fn types_are_chosen(app: TestApp) {
        let admin = app.admin().await;
        let rpc = Rpc::to(&app).by(&admin.token);
        let mut watch = Watch::start(&rpc, "", &["session.*", "user.deleted"]).await.unwrap();
        watch.caught_up().await;
        let user = app.user().await;
        rename(&app, &user, "Nobody looks").await;
        assert_eq!(app.delete("/api/v1/sessions/current", &user.token).await.status(), 204);
        assert_eq!(app.delete(&user.path(), &admin.token).await.status(), 204);
        let mut types = Vec::new();
        while types.last().is_none_or(|last| last != "user.deleted") {
            types.push(watch.event().await.r#type);
        }
        assert!(types.iter().all(|name| name.starts_with("session.") || name == "user.deleted"), "{types:?}");
        assert!(types.contains(&"session.ended".to_owned()), "{types:?}");
    }

    async fn dead_credentials_end_the_stream(app: TestApp) {
        let (user, admin) = (app.user().await, app.admin().await);
        let rpc = Rpc::to(&app).by(&user.token);
        let mut watch = Watch::start(&rpc, "", &[]).await.unwrap();
        watch.caught_up().await;
        // This one acknowledges nothing, and is cut off all the same.
        let mut follow = Follow::start(&rpc, start("", 1)).await.unwrap();
        assert_eq!(follow.until_silent().await, (vec![], true));
        rename(&app, &user, "One").await;
        assert!(matches!(follow.next().await.unwrap(), Told::Event(_)));
        let seen = watch.event().await;
        rename(&app, &user, "Two").await;
        assert_eq!(app.delete("/api/v1/sessions/current", &user.token).await.status(), 204);
        ended(watch.over().await, Code::Unauthenticated, "invalid_token");
        let cursor = ended(follow.over().await, Code::Unauthenticated, "invalid_token");
        assert_ne!(cursor, seen.cursor, "what was not acknowledged is told again");

        // Of an admin, who sees more than themselves.
        let rpc = Rpc::to(&app).by(&admin.token);
        let mut watch = Watch::start(&rpc, "", &["role.created"]).await.unwrap();
        watch.caught_up().await;
        assert_eq!(app.delete("/api/v1/sessions/current", &admin.token).await.status(), 204);
        ended(watch.over().await, Code::Unauthenticated, "invalid_token");
    }

    async fn a_cursor_expires(app: TestApp) {
        let admin = app.admin().await;
        let rpc = Rpc::to(&app).by(&admin.token);
        app.user().await;
        let first = all(&rpc).await.remove(0).cursor;
        let mut tx = app.services.store.write().await.unwrap();
        let removed = tx.remove_events(app.services.clock.now().plus_seconds(60), 3).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(removed, 3);
        refused(Watch::start(&rpc, &first, &[]).await.map(|_| ()), Code::OutOfRange, "cursor_expired");
        refused(Follow::start(&rpc, start(&first, 0)).await.map(|_| ()), Code::OutOfRange, "cursor_expired");
        let ask = v1::ListEventsRequest { page_token: first, ..Default::default() };
        refused(rpc.events().list_events(ask).await, Code::OutOfRange, "cursor_expired");
        assert!(!all(&rpc).await.is_empty(), "without one it begins with what is kept");
    }

    async fn a_server_that_stops_says_so(app: TestApp) {
        let admin = app.admin().await;
        let rpc = Rpc::to(&app).by(&admin.token);
        let mut watch = Watch::start(&rpc, "", &[]).await.unwrap();
        let (_, cursor) = watch.caught_up().await;
        let mut follow = Follow::start(&rpc, start("", 0)).await.unwrap();
        follow.until_silent().await;
        let world = app.world.clone();
        drop(app);
        let status = watch.over().await;
        assert!(status.get_error_details().retry_info().is_some(), "{status:?}");
        assert_eq!(ended(status, Code::Unavailable, "server_stopping"), cursor);
        assert_eq!(ended(follow.over().await, Code::Unavailable, "server_stopping"), cursor);

        let app = world.serve(&[]).await;
        let user = app.user().await;
        let (told, _) = Watch::start(&Rpc::to(&app).by(&admin.token), &cursor, &[]).await.unwrap().caught_up().await;
        assert_eq!(told[0].subject.as_ref(), Some(&user.id), "{told:?}");
    }

    async fn a_ticket_opens_one_stream(app: TestApp) {
        let user = app.user().await;
        let made = Rpc::to(&app).by(&user.token).events().create_ticket(v1::CreateTicketRequest {}).await;
        let made = made.unwrap().into_inner();
        assert!(!format!("{made:?}").contains(&made.ticket), "it does not print");
        assert_eq!(made.expires_in_s, 30);
        let path = format!("/api/v1/events/stream?ticket={}", made.ticket);
        let open = async || app.client.get(format!("{}{path}", app.url)).send().await.unwrap().status();
        assert_eq!((open().await, open().await), (200.try_into().unwrap(), 401.try_into().unwrap()));
    }

    async fn verifiers_learn_what_is_dead(app: TestApp) {
        let (gone, disabled, admin) = (app.user().await, app.user().await, app.admin().await);
        assert_eq!(app.delete("/api/v1/sessions/current", &gone.token).await.status(), 204);
        let body = json!({"status": "disabled"});
        assert_eq!(app.patch(&disabled.path(), &admin.token, &body).await.status(), 200);
        let account = app.service_account("user").await;
        let key = app.service_key(&account, "").await;
        let rpc = Rpc::to(&app).by(&key.secret);
        let ask = v1::WatchRevocationsRequest::default();
        let mut stream = rpc.events().watch_revocations(ask).await.unwrap().into_inner();
        let mut told = Vec::new();
        let cursor = loop {
            match message(&mut stream).await.unwrap().unwrap().told.unwrap() {
                watch_revocations_response::Told::Revocation(dead) => told.push(dead),
                watch_revocations_response::Told::Heartbeat(beat) => {
                    assert!(beat.caught_up);
                    break beat.cursor;
                }
            }
        };
        let dead: Vec<_> = told.iter().map(|dead| dead.revoked.clone().unwrap()).collect();
        assert!(dead.contains(&Revoked::SessionId(gone.session_id)), "{dead:?}");
        assert!(dead.contains(&Revoked::Subject(disabled.id.clone())), "{dead:?}");
        assert!(told.iter().all(|dead| dead.since.is_some() && !dead.cursor.is_empty()));

        let mine = app.api_key(&admin, &[]).await;
        rename(&app, &admin, "No revocation").await;
        assert_eq!(app.delete(&mine.path(), &admin.token).await.status(), 204);
        let next = message(&mut stream).await.unwrap().unwrap().told.unwrap();
        let watch_revocations_response::Told::Revocation(next) = next else { panic!("{next:?}") };
        assert_eq!(next.revoked, Some(Revoked::ApiKeyId(mine.id)));
        let ask = v1::WatchRevocationsRequest { after: cursor };
        let mut again = rpc.events().watch_revocations(ask).await.unwrap().into_inner();
        let first = message(&mut again).await.unwrap().unwrap().told.unwrap();
        assert_eq!(first, watch_revocations_response::Told::Revocation(next), "from the cursor on, and no more");

        assert_eq!(app.delete(&key.path(), &admin.token).await.status(), 204);
        let told = message(&mut stream).await;
        ended(told.expect_err("its own key is dead"), Code::Unauthenticated, "invalid_token");
    }

    async fn another_node_tells_it_too(world: World) {
        let (one, other) = (world.serve(&[]).await, world.serve(&[]).await);
        let admin = one.admin().await;
        let rpc = Rpc::to(&other).by(&admin.token);
        let mut watch = Watch::start(&rpc, "", &[]).await.unwrap();
        watch.caught_up().await;
        let user = one.user().await;
        rename(&one, &user, "Ada").await;
        rename(&other, &user, "Grace").await;
        let mut names = Vec::new();
        while names.len() < 2 {
            let event = watch.event().await;
            if event.r#type == "user.updated" {
                names.push(event.cursor);
            }
        }
        let listed = all(&Rpc::to(&one).by(&admin.token)).await;
        let expected: Vec<_> = listed.into_iter().filter(|event| event.r#type == "user.updated").map(|event| event.cursor).collect();
        assert_eq!(names, expected, "in the order of the log");
        // What ends a credential on one node ends its streams on the other.
        assert_eq!(one.delete("/api/v1/sessions/current", &admin.token).await.status(), 204);
        ended(watch.over().await, Code::Unauthenticated, "invalid_token");
    }
}
