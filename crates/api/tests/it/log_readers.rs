//! A server whose log is not read, or cannot be written, keeps serving.

use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::harness::{World, eventually, on_both};
use crate::process::command_on;

/// How long one request may take, and the stop.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// A server that logs everything, with both outputs on pipes that are not read, and its URL.
fn start(world: &World) -> (Child, String) {
    // The line that tells the port is not read, so the port is chosen here.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = [("server.port", &*port.to_string()), ("telemetry.log_filter", "trace")];
    let child = command_on(world, &settings).arg("serve").spawn().unwrap();
    let url = format!("http://127.0.0.1:{port}/health/live");
    (child, url)
}

async fn status(client: &reqwest::Client, url: &str) -> u16 {
    let answer = timeout(ANSWER_WITHIN, client.get(url).send()).await;
    answer.ok().and_then(Result::ok).map_or(0, |response| response.status().as_u16())
}

async fn answers(client: &reqwest::Client, url: &str) {
    eventually("the server answers", Duration::from_secs(30), async || status(client, url).await == 200).await;
}

async fn stops(mut child: Child) {
    let id = child.id().unwrap().to_string();
    assert!(Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]).status().await.unwrap().success());
    let ended = timeout(STOP_WITHIN, child.wait()).await.expect("the server stops").unwrap();
    assert!(ended.success(), "{ended}");
}

on_both! {
    async fn a_log_that_is_not_read_holds_up_no_request(world: World) {
        let (child, url) = start(&world);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        answers(&client, &url).await;
        // Many times what a pipe holds.
        for _ in 0..400 {
            assert_eq!(status(&client, &url).await, 200);
        }
        stops(child).await;
    }

    async fn a_log_whose_reader_is_gone_ends_nothing(world: World) {
        let (mut child, url) = start(&world);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        answers(&client, &url).await;
        for _ in 0..50 {
            assert_eq!(status(&client, &url).await, 200);
        }
        stops(child).await;
    }
}
