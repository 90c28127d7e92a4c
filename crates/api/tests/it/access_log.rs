//! The access log: one line for each request, whatever the transport.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::grpc::Rpc;
use crate::harness::{PASSWORD, eventually, on_both};
use crate::process::Process;

const WITHIN: Duration = Duration::from_secs(20);
const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";

/// The lines of the access log, parsed.
fn access_lines(process: &Process) -> Vec<Value> {
    let log = process.log();
    let parsed = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON"));
    parsed.filter(|line| line["target"] == "denizen::access").collect()
}

/// The line of the request with this id, once it is written.
async fn line_of(process: &Process, request_id: &str) -> Value {
    let find = || access_lines(process).into_iter().find(|line| line["request_id"] == request_id);
    eventually("the request is logged", WITHIN, async || find().is_some()).await;
    find().unwrap()
}

on_both! {
    async fn each_request_is_one_flat_line(world: World) {
        let process = Process::start(&world, &[("telemetry.log_format", "json")]).await;
        let body = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada"});
        let created = process.request(Method::POST, "/api/v1/users", None).json(&body).send().await.unwrap();
        let user: Value = created.json().await.unwrap();
        let body = json!({"email": "ada@example.com", "password": PASSWORD});
        let signed_in = process.request(Method::POST, "/api/v1/sessions", None).json(&body).send().await.unwrap();
        let session: Value = signed_in.json().await.unwrap();
        let token = session["access_token"].as_str().unwrap();

        let path = format!("/api/v1/users/{}?secret=hunter2", user["id"].as_str().unwrap());
        let request = process.request(Method::GET, &path, Some(token));
        let request = request.header("x-request-id", "one").header("traceparent", format!("00-{TRACE_ID}-b7ad6b7169203331-01"));
        assert_eq!(request.send().await.unwrap().status(), 400);
        let line = line_of(&process, "one").await;
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["message"], "request completed");
        assert_eq!(line["method"], "GET");
        assert_eq!(line["route"], "/api/v1/users/{id}");
        assert_eq!(line["status"], 400);
        assert!(line["duration_ms"].as_f64().is_some_and(|duration| duration > 0.0), "{line}");
        assert_eq!(line["client"], "127.0.0.1");
        assert_eq!(line["trace_id"], TRACE_ID);
        for nested in ["span", "spans", "fields"] {
            assert_eq!(line.get(nested), None, "{line}");
        }

        let path = format!("/api/v1/users/{}", user["id"].as_str().unwrap());
        let request = process.request(Method::GET, &path, Some(token)).header("x-request-id", "two");
        assert_eq!(request.send().await.unwrap().status(), 200);
        let line = line_of(&process, "two").await;
        assert_eq!(line["user"], user["id"]);
        assert_eq!(line["status"], 200);

        let request = tonic::Request::new(denizen_proto::v1::GetMeRequest::default());
        Rpc::at(&process.url).by(token).users().get_me(request).await.unwrap();
        eventually("the call is logged", WITHIN, async || {
            access_lines(&process).iter().any(|line| {
                line["route"] == "/denizen.v1.UserService/GetMe" && line["code"] == "OK" && line["user"] == user["id"]
            })
        }).await;
        let everything = process.log();
        for secret in ["hunter2", PASSWORD, token] {
            assert!(!everything.contains(secret), "{secret} is in the log");
        }
    }

    async fn what_a_client_sends_forges_no_line(world: World) {
        let process = Process::start(&world, &[("telemetry.log_format", "json")]).await;
        let request = process.request(Method::GET, "/api/v1/me", None);
        let forged = "x\",\"user\":\"forged";
        let request = request.header("x-request-id", forged).header("user-agent", "a\tb").header("traceparent", "forged");
        let response = request.send().await.unwrap();
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let line = line_of(&process, &id).await;
        assert_eq!((&line["user"], &line["trace_id"]), (&Value::Null, &Value::Null));
        assert!(!process.log().contains("forged"));
    }

    async fn the_filter_follows_the_configuration_on_a_hangup(world: World) {
        let folder = world.folder();
        std::fs::create_dir_all(folder.join("config")).unwrap();
        let write = |filter: &str| {
            std::fs::write(folder.join("config/dev.toml"), format!("[telemetry]\nlog_filter = \"{filter}\"\n")).unwrap();
        };
        write("warn,denizen::lifecycle=info");
        let process = Process::start(&world, &[("telemetry.log_format", "json")]).await;
        let ask = async |id: &str| {
            let request = process.request(Method::GET, "/api/v1/me", None).header("x-request-id", id);
            assert_eq!(request.send().await.unwrap().status(), 401);
        };
        let is_set = |filter: &str| process.log().lines().any(|line| line.contains("SIGHUP") && line.contains(filter));
        ask("before").await;
        write("info");
        process.signal("HUP").await;
        eventually("the filter is set", WITHIN, async || is_set("the log filter was set")).await;
        ask("after").await;
        line_of(&process, "after").await;
        assert!(!access_lines(&process).iter().any(|line| line["request_id"] == "before"));
        write("=nonsense=");
        process.signal("HUP").await;
        eventually("the mistake is reported", WITHIN, async || is_set("invalid")).await;
        ask("still").await;
        line_of(&process, "still").await;
    }
}
