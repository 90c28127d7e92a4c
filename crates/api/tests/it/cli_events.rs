//! The log at the command line, beside whoever writes it.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use crate::harness::{PASSWORD, World, on_both};
use crate::process::{Done, command_on, run_on};

/// Longer than a line may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

async fn denizen(world: &World, arguments: &[&str]) -> Done {
    run_on(world, &[], arguments, "").await
}

/// The id of a user who is made.
async fn create(world: &World, email: &str) -> String {
    let arguments = ["users", "create", "--email", email, "--name", "Ada", "--password-stdin", "--output", "json"];
    run_on(world, &[], &arguments, PASSWORD).await.json()["id"].as_str().unwrap().to_owned()
}

on_both! {
    async fn what_happened_is_listed_and_followed(world: World) {
        let ada = create(&world, "ada@example.com").await;
        let eve = create(&world, "eve@example.com").await;
        let listed = denizen(&world, &["events", "list", "--types", "user.created", "--output", "json"]).await.json();
        let of = |at: usize, name: &str| listed[at][name].as_str().unwrap().to_owned();
        assert_eq!((listed.as_array().unwrap().len(), of(0, "subject"), of(1, "subject")), (2, ada.clone(), eve.clone()));
        assert_eq!(listed[0]["actor"]["type"], "operator");

        let first = denizen(&world, &["events", "list", "--types", "user.*", "--limit", "1"]).await;
        assert!(first.stdout.lines().count() == 2 && first.stdout.contains(&ada), "{first:?}");
        let next = first.stderr.trim().strip_prefix("more: --after ").unwrap_or_else(|| panic!("{first:?}"));
        let rest = denizen(&world, &["events", "list", "--types", "user.created", "--after", next]).await;
        assert!(rest.stdout.contains(&eve) && !rest.stdout.contains(&ada), "{rest:?}");

        let arguments = ["events", "follow", "--types", "user.created", "--after", &of(0, "cursor")];
        let mut following = command_on(&world, &[]).args(arguments).spawn().unwrap();
        let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
        let mut line = async || -> Value {
            let line = timeout(PATIENCE, lines.next_line()).await.expect("a line comes").unwrap().unwrap();
            serde_json::from_str(&line).unwrap()
        };
        assert_eq!(line().await, listed[1], "an event is the same on every way");
        let bob = create(&world, "bob@example.com").await;
        assert_eq!(line().await["subject"], bob);
        following.kill().await.unwrap();

        let unknown = denizen(&world, &["events", "list", "--types", "no.such"]).await;
        assert!(unknown.only_line(2).contains("--types"), "{unknown:?}");
        let forged = denizen(&world, &["events", "list", "--after", "forged"]).await;
        assert_eq!(forged.only_line(1), "--after: must be an event cursor");
        assert_eq!(denizen(&world, &["events", "list", "--limit", "201"]).await.code, 2);
    }
}
