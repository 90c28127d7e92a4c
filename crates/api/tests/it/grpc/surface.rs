//! What every call passes, and the services that are not ours: reflection and health.

use std::time::Duration;

use denizen_proto::v1;
use reqwest::Method;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::{v1 as reflection, v1alpha};
use tonic_types::StatusExt;

use super::client::{Rpc, refused};
use crate::harness::{eventually, on_both, timed};
use crate::process::Process;

fn get_me() -> Request<v1::GetMeRequest> {
    Request::new(v1::GetMeRequest {})
}

on_both! {
    async fn the_contract_describes_itself(app: TestApp) {
        let channel = tonic::transport::Endpoint::from_shared(app.url.clone()).unwrap().connect_lazy();
        let ask = |what| reflection::ServerReflectionRequest { host: String::new(), message_request: Some(what) };
        let asked = [ask(MessageRequest::ListServices(String::new())), ask(MessageRequest::FileContainingSymbol("denizen.v1.UserService.GetUser".into()))];
        let mut client = ServerReflectionClient::new(channel.clone());
        let mut answers = client.server_reflection_info(tokio_stream::iter(asked)).await.unwrap().into_inner();
        let Some(MessageResponse::ListServicesResponse(listed)) = answers.message().await.unwrap().unwrap().message_response else {
            panic!("no list of services")
        };
        let names: Vec<_> = listed.service.iter().map(|service| service.name.as_str()).collect();
        for name in ["denizen.v1.UserService", "denizen.v1.SessionService", "denizen.v1.TokenService", "grpc.health.v1.Health"] {
            assert!(names.contains(&name), "{names:?}");
        }
        let found = answers.message().await.unwrap().unwrap().message_response;
        assert!(matches!(found, Some(MessageResponse::FileDescriptorResponse(file)) if !file.file_descriptor_proto.is_empty()));

        let ask = v1alpha::server_reflection_request::MessageRequest::ListServices(String::new());
        let ask = v1alpha::ServerReflectionRequest { host: String::new(), message_request: Some(ask) };
        let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
        let mut answers = client.server_reflection_info(tokio_stream::once(ask)).await.unwrap().into_inner();
        assert!(answers.message().await.unwrap().is_some());
    }

    async fn health_is_that_of_rest(app: TestApp) {
        let rpc = Rpc::to(&app);
        let ask = |service: &str| HealthCheckRequest { service: service.to_owned() };
        for known in ["", "denizen.v1.UserService", "denizen.v1.SigningKeyService"] {
            let told = rpc.health().check(ask(known)).await.unwrap().into_inner();
            assert_eq!(told.status(), ServingStatus::Serving, "{known}");
        }
        assert_eq!(rpc.health().check(ask("unknown")).await.unwrap_err().code(), Code::NotFound);
        let mut watched = rpc.health().watch(ask("")).await.unwrap().into_inner();
        assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
        let mut unknown = rpc.health().watch(ask("unknown")).await.unwrap().into_inner();
        assert_eq!(unknown.message().await.unwrap().unwrap().status(), ServingStatus::ServiceUnknown);
    }

    async fn who_watches_learns_that_the_server_stops(world: World) {
        let server = Process::start(&world, &[]).await;
        let rpc = Rpc::at(&server.url);
        let mut watched = rpc.health().watch(HealthCheckRequest::default()).await.unwrap().into_inner();
        assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
        server.terminate().await;
        assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
        refused(watched.message().await, Code::Unavailable, "stopping");
        let (status, waited) = timed(server.ended(Duration::from_secs(10))).await;
        assert_eq!(status.code(), Some(0), "{}", server.log());
        assert!(waited < Duration::from_secs(5), "a stream that is watched keeps nobody: {waited:?}");
    }

    async fn an_address_has_one_budget_for_both(app: TestApp, "limits.address_per_second" = "1", "limits.address_burst" = "4") {
        let rpc = Rpc::to(&app);
        let mut spent = None;
        for _ in 0..20 {
            let answer = rpc.users().get_me(get_me()).await;
            if answer.as_ref().is_err_and(|status| status.code() == Code::ResourceExhausted) {
                spent = Some(answer);
                break;
            }
        }
        let status = refused(spent.expect("the budget is spent"), Code::ResourceExhausted, "too_many_requests");
        let again = status.get_error_details().retry_info().unwrap().retry_delay;
        assert_eq!(again, Some(Duration::from_secs(1)));
        assert!(status.metadata().contains_key("x-request-id"));
        assert_eq!(app.request(Method::GET, "/nothing", None).send().await.unwrap().status(), 429);
        rpc.health().check(HealthCheckRequest::default()).await.expect("health is outside budgets");
    }

    async fn more_at_once_than_allowed_is_shed(app: TestApp, "limits.concurrent_requests" = "1") {
        let admin = app.admin().await;
        let rpc = Rpc::to(&app).by(&admin.token);
        let begin = || {
            let (sender, receiver) = tokio::sync::mpsc::channel::<v1::ImportUsersRequest>(1);
            let rpc = rpc.clone();
            let importing = async move { rpc.users().import_users(tokio_stream::wrappers::ReceiverStream::new(receiver)).await };
            (sender, tokio::spawn(importing))
        };
        let (mut sender, mut importing) = begin();
        eventually("the one place is taken", Duration::from_secs(10), async || {
            // It may have been shed itself, by the one that looks.
            if importing.is_finished() {
                (sender, importing) = begin();
            }
            rpc.users().get_me(get_me()).await.is_err()
        }).await;
        let status = refused(rpc.users().get_me(get_me()).await, Code::Unavailable, "overloaded");
        assert!(status.get_error_details().retry_info().is_some());
        rpc.health().check(HealthCheckRequest::default()).await.expect("health is outside shedding");
        drop(sender);
        importing.await.unwrap().unwrap();
        eventually("the place is free", Duration::from_secs(10), async || rpc.users().get_me(get_me()).await.is_ok()).await;
    }

    async fn a_call_can_be_compressed(app: TestApp) {
        let admin = app.admin().await;
        for _ in 0..3 {
            app.user().await;
        }
        let rpc = Rpc::to(&app).by(&admin.token);
        for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
            let mut client = rpc.users().send_compressed(encoding).accept_compressed(encoding);
            let listed = client.list_users(v1::ListUsersRequest::default()).await.unwrap();
            assert!(listed.metadata().contains_key("grpc-encoding"), "{encoding:?}");
            assert_eq!(listed.into_inner().users.len(), 4);
        }
    }

    async fn the_request_id_and_the_trace_are_taken_over(world: World) {
        let server = Process::start(&world, &[("telemetry.log_filter", "debug")]).await;
        let rpc = Rpc::at(&server.url);
        let mut request = get_me();
        request.metadata_mut().insert("x-request-id", "mine-1".parse().unwrap());
        request.metadata_mut().insert("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap());
        let status = refused(rpc.users().get_me(request).await, Code::Unauthenticated, "unauthenticated");
        assert_eq!(status.get_error_details().request_info().unwrap().request_id, "mine-1");
        assert_eq!(status.metadata().get("x-request-id").unwrap(), "mine-1");
        eventually("the log tells of it", Duration::from_secs(5), async || {
            let log = server.log();
            log.lines().any(|line| {
                ["mine-1", "0af7651916cd43dd8448eb211c80319c", "/denizen.v1.UserService/GetMe"].iter().all(|part| line.contains(part))
            })
        }).await;
    }

    async fn who_signs_out_is_out_on_both(app: TestApp) {
        let user = app.user().await;
        let rpc = Rpc::to(&app).by(&user.token);
        rpc.users().get_me(get_me()).await.unwrap();
        app.delete("/api/v1/sessions/current", &user.token).await;
        refused(rpc.users().get_me(get_me()).await, Code::Unauthenticated, "invalid_token");
    }

    async fn cookies_do_not_count(app: TestApp) {
        let user = app.user().await;
        let mut request = get_me();
        request.metadata_mut().insert("cookie", format!("__Host-denizen_access={}", user.token).parse().unwrap());
        refused(Rpc::to(&app).users().get_me(request).await, Code::Unauthenticated, "unauthenticated");
    }
}
