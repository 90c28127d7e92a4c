//! Moves to another database by the command line.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use crate::harness::{PASSWORD, on_both};
use crate::process::{Process, command_on, run_on};

on_both! {
    async fn everything_moves_and_users_stay_signed_in(world: World) {
        let server = Process::start(&world, &[]).await;
        assert_eq!(server.sign_up("ada@example.com").await.unwrap().status(), 201);
        let session = server.session("ada@example.com").await;
        let target = world.other_kind().await;
        let arguments = ["migrate-store", "--from", &world.database_url, "--to", &target.database_url, "--output", "json"];
        let refused = run_on(&world, &[], &arguments, "").await;
        assert_eq!(refused.code, 1, "a server runs: {refused:?}");
        server.terminate().await;
        server.ended(Duration::from_secs(20)).await;

        let moved = run_on(&world, &[], &arguments, "").await.json();
        let users = moved["tables"].as_array().unwrap().iter().find(|table| table["table"] == "users").unwrap();
        assert_eq!(users["rows"], 1, "{moved}");
        let again = run_on(&world, &[], &arguments, "").await;
        assert!(again.code == 1 && again.stderr.contains("neither empty nor a part"), "{again:?}");

        let master_key = world.master_key_file();
        let settings = [("security.master_key_file", master_key.as_str())];
        let server = Process::start(&target, &settings).await;
        assert_eq!(server.status("/api/v1/me", session["access_token"].as_str()).await, 200);
        assert_eq!(server.refresh_status(&session).await, 200);
        assert_eq!(run_on(&target, &settings, &["audit", "verify"], "").await.code, 0);
        server.terminate().await;
        server.ended(Duration::from_secs(20)).await;

        // The target has a life of its own now: a second move must not overwrite it.
        assert_eq!(run_on(&world, &[], &["users", "disable", "ada@example.com"], "").await.code, 0);
        let refused = run_on(&world, &[], &arguments, "").await;
        assert!(refused.code == 1 && refused.stderr.contains("neither empty nor a part"), "{refused:?}");

        // And back.
        let arguments = ["migrate-store", "--from", &target.database_url, "--to", &world.database_url];
        let refused = run_on(&world, &[], &arguments, "").await;
        assert!(refused.code == 1 && refused.stderr.contains("neither empty nor a part"), "{refused:?}");
        let home = world.same_kind().await;
        let arguments = ["migrate-store", "--from", &target.database_url, "--to", &home.database_url];
        let moved = run_on(&world, &[], &arguments, "").await;
        assert!(moved.code == 0 && moved.stdout.contains("the target is complete"), "{moved:?}");
    }

    async fn a_move_follows_the_changes_until_the_switch(world: World) {
        let server = Arc::new(Process::start(&world, &[]).await);
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..3 {
            let (server, world, stop) = (Arc::clone(&server), world.clone(), Arc::clone(&stop));
            writers.spawn(async move {
                let mut acknowledged = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    let email = world.fresh_email();
                    match server.sign_up(&email).await.map(|response| response.status().as_u16()) {
                        Ok(201) => acknowledged.push(email),
                        // The source is locked.
                        Ok(503) | Err(_) => break,
                        Ok(status) => panic!("{email}: {status}"),
                    }
                }
                acknowledged
            });
        }
        let target = world.other_kind().await;
        let mut command = command_on(&world, &[]);
        command.args(["migrate-store", "--from", &world.database_url, "--to", &target.database_url, "--follow"]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let wait_for = async |errors: &mut tokio::io::Lines<_>, text: &str| {
            let mut seen = Vec::new();
            loop {
                let line = timeout(Duration::from_mins(1), errors.next_line()).await.expect("the command goes on").unwrap();
                let Some(line) = line else { panic!("{text} is missing: {seen:#?}") };
                let is_found = line.contains(text);
                seen.push(line);
                if is_found { return; }
            }
        };
        wait_for(&mut errors, "is up to date").await;
        child.stdin.take().unwrap().write_all(b"\n").await.unwrap();
        wait_for(&mut errors, "stays locked").await;
        stop.store(true, Ordering::SeqCst);
        assert_eq!(server.status("/api/v1/openapi.json", None).await, 200, "reads go on");
        let mut acknowledged = Vec::new();
        server.kill_now().await;
        while let Some(writer) = writers.join_next().await {
            acknowledged.extend(writer.unwrap());
        }
        crate::process::interrupt(&mut child).await;
        let mut output = String::new();
        child.stdout.take().unwrap().read_to_string(&mut output).await.unwrap();
        assert!(output.contains("the target is complete"), "{output}");

        let master_key = world.master_key_file();
        let settings = [("security.master_key_file", master_key.as_str())];
        let server = Process::start(&target, &settings).await;
        assert!(acknowledged.len() > 10, "{}", acknowledged.len());
        for email in &acknowledged {
            assert!(server.token(email, PASSWORD).await.is_some(), "{email} did not come along");
        }
        assert_eq!(run_on(&target, &settings, &["audit", "verify"], "").await.code, 0);
    }
}
