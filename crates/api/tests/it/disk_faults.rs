//! A disk that fails and recovers: no acknowledged write is lost, and writes go on without a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Db, PASSWORD, World, eventually, timed};
use crate::process::{Process, run_on};

const FAULTS: usize = 102;
const MODES: [&str; 3] = ["fsync-eio", "write-eio", "enospc"];
/// How long a fault stays after the first request that it failed.
const FAULT_LASTS: Duration = Duration::from_millis(10);
/// How soon every kind of write must succeed once a fault is over.
const RECOVERY_MAX: Duration = Duration::from_secs(5);
const ADMIN: &str = "root@example.com";
const SETTINGS: &[(&str, &str)] = &[
    ("limits.account_writes_per_minute", "100000"),
    ("limits.sign_up_mails_per_hour", "100000"),
    ("limits.mail_requests_per_hour", "100000"),
    ("limits.account_mails_per_hour", "100000"),
];

/// The kinds of writes that go on all the time.
const KINDS: [&str; 5] = ["sign-up", "change", "disable", "sign-in", "sign-out"];

/// What the clients saw.
#[derive(Default)]
struct Seen {
    is_over: AtomicBool,
    /// How many faults have ended.
    ended: AtomicUsize,
    /// By kind: how many faults had ended when the last write that succeeded was begun.
    recovered: [AtomicUsize; KINDS.len()],
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
    read: AtomicUsize,
    wrong: Mutex<Vec<String>>,
    signed_up: Mutex<Vec<String>>,
    signed_out: Mutex<Vec<String>>,
    /// By field and user: the values that may be there, the acknowledged one first.
    fields: Mutex<BTreeMap<(&'static str, String), Vec<String>>>,
}

impl Seen {
    /// Asks until it is done; `None` when it is over before.
    async fn insist(&self, kind: usize, status: u16, request: RequestBuilder) -> Option<Response> {
        while !self.is_over.load(Ordering::SeqCst) {
            let ended = self.ended.load(Ordering::SeqCst);
            let response = request.try_clone().unwrap().send().await.unwrap();
            if response.status() == status {
                self.acknowledged.fetch_add(1, Ordering::SeqCst);
                self.recovered[kind].store(ended, Ordering::SeqCst);
                return Some(response);
            }
            if response.status() == 503 && response.headers().contains_key("retry-after") {
                self.refused.fetch_add(1, Ordering::SeqCst);
            } else {
                let (status, body) = (response.status(), response.text().await);
                self.wrong.lock().unwrap().push(format!("{}: {status} {body:?}", KINDS[kind]));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        None
    }

    fn note_attempt(&self, field: &'static str, id: &str, value: &str) {
        self.fields.lock().unwrap().entry((field, id.to_owned())).or_default().push(value.to_owned());
    }

    fn note_done(&self, field: &'static str, id: &str, value: &str) {
        self.fields.lock().unwrap().insert((field, id.to_owned()), vec![value.to_owned()]);
    }
}

/// Compiles the library that lets the disk fail.
fn build_shim(folder: &Path) -> PathBuf {
    let (source, shim) = (concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/disk.c"), folder.join("disk.so"));
    let mut compiler = std::process::Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).args([shim.as_os_str(), source.as_ref()]).arg("-ldl");
    assert!(compiler.status().unwrap().success());
    shim
}

fn signing_up(server: &Process, email: &str) -> RequestBuilder {
    let body = json!({"email": email, "password": PASSWORD, "name": "Some Body"});
    server.request(Method::POST, "/api/v1/users", None).json(&body)
}

fn signing_in(server: &Process, email: &str) -> RequestBuilder {
    let body = json!({"email": email, "password": PASSWORD});
    server.request(Method::POST, "/api/v1/sessions", None).json(&body)
}

async fn text(response: Response, field: &str) -> String {
    response.json::<Value>().await.unwrap()[field].as_str().unwrap().to_owned()
}

async fn sign_up_on_and_on(server: Arc<Process>, world: World, seen: Arc<Seen>) {
    loop {
        let email = world.fresh_email();
        let Some(_) = seen.insist(0, 201, signing_up(&server, &email)).await else { return };
        seen.signed_up.lock().unwrap().push(email);
    }
}

async fn change_on_and_on(server: Arc<Process>, seen: Arc<Seen>, kind: usize, id: String, token: String) {
    let path = format!("/api/v1/users/{id}");
    for at in 0.. {
        let (field, value) = match kind {
            1 => ("name", format!("Name {at}")),
            _ => ("status", if at % 2 == 0 { "disabled" } else { "active" }.to_owned()),
        };
        seen.note_attempt(field, &id, &value);
        let body = json!({ field: value }).to_string();
        let request = server.request(Method::PATCH, &path, Some(&token));
        let request = request.header("content-type", "application/merge-patch+json").body(body);
        let Some(_) = seen.insist(kind, 200, request).await else { return };
        seen.note_done(field, &id, &value);
    }
}

async fn sign_in_and_out_on_and_on(server: Arc<Process>, seen: Arc<Seen>, email: String) {
    loop {
        let Some(response) = seen.insist(3, 201, signing_in(&server, &email)).await else { return };
        let token = text(response, "access_token").await;
        let request = server.request(Method::DELETE, "/api/v1/sessions/current", Some(&token));
        let Some(_) = seen.insist(4, 204, request).await else { return };
        seen.signed_out.lock().unwrap().push(token);
    }
}

async fn read_on_and_on(server: Arc<Process>, seen: Arc<Seen>, id: String, token: String) {
    while !seen.is_over.load(Ordering::SeqCst) {
        let status = server.status(&format!("/api/v1/users/{id}"), Some(&token)).await;
        seen.read.fetch_add(1, Ordering::SeqCst);
        if status != 200 {
            seen.wrong.lock().unwrap().push(format!("read: {status}"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Lets the disk fail, and returns how long it then took until every kind of write succeeded.
async fn fail_once(server: &Process, seen: &Seen, control: &Path, mode: &str) -> Duration {
    let refused = seen.refused.load(Ordering::SeqCst);
    std::fs::write(control.with_extension("new"), mode).unwrap();
    std::fs::rename(control.with_extension("new"), control).unwrap();
    eventually(&format!("a write fails under {mode}"), RECOVERY_MAX, async || {
        seen.refused.load(Ordering::SeqCst) > refused || !seen.wrong.lock().unwrap().is_empty()
    })
    .await;
    let ready = server.status("/health/ready", None).await;
    tokio::time::sleep(FAULT_LASTS).await;
    std::fs::remove_file(control).unwrap();
    let ended = seen.ended.fetch_add(1, Ordering::SeqCst) + 1;
    assert_eq!(ready, 503, "ready while writes fail under {mode}");
    let ((), waited) = timed(eventually(&format!("every write succeeds after {mode}"), RECOVERY_MAX, async || {
        seen.recovered.iter().all(|kind| kind.load(Ordering::SeqCst) >= ended)
    }))
    .await;
    assert_eq!(server.status("/health/ready", None).await, 200, "ready after {mode}");
    waited
}

/// What was acknowledged and is not there.
async fn lost(server: &Process, world: &World, seen: &Seen) -> Vec<String> {
    let exported = run_on(world, &[], &["users", "export", "-"], "").await;
    assert_eq!(exported.code, 0, "{exported:?}");
    let found: BTreeSet<String> = exported
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["email"].as_str().unwrap().to_owned())
        .collect();
    let mut lost: Vec<String> =
        seen.signed_up.lock().unwrap().iter().filter(|email| !found.contains(*email)).cloned().collect();
    let signed_out = seen.signed_out.lock().unwrap().clone();
    for token in signed_out {
        if server.status("/api/v1/me", Some(&token)).await != 401 {
            lost.push(format!("a sign-out: {token}"));
        }
    }
    let admin = text(signing_in(server, ADMIN).send().await.unwrap(), "access_token").await;
    let fields = seen.fields.lock().unwrap().clone();
    for ((field, id), expected) in fields {
        let request = server.request(Method::GET, &format!("/api/v1/users/{id}"), Some(&admin));
        let value = text(request.send().await.unwrap(), field).await;
        if !expected.contains(&value) {
            lost.push(format!("{field} of {id}: {value}, not {expected:?}"));
        }
    }
    lost
}

/// Begins to write and read without an end.
async fn begin(server: &Arc<Process>, world: &World, seen: &Arc<Seen>) -> JoinSet<()> {
    let admin = text(signing_in(server, ADMIN).send().await.unwrap(), "access_token").await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        let email = world.fresh_email();
        ids.push((text(server.sign_up(&email).await.unwrap(), "id").await, email));
    }
    let mut clients = JoinSet::new();
    let (server, seen) = (|| Arc::clone(server), || Arc::clone(seen));
    clients.spawn(sign_up_on_and_on(server(), world.clone(), seen()));
    clients.spawn(change_on_and_on(server(), seen(), 1, ids[0].0.clone(), admin.clone()));
    clients.spawn(change_on_and_on(server(), seen(), 2, ids[1].0.clone(), admin.clone()));
    for (_, email) in &ids[2..] {
        clients.spawn(sign_in_and_out_on_and_on(server(), seen(), email.clone()));
    }
    clients.spawn(read_on_and_on(server(), seen(), ids[0].0.clone(), admin));
    clients
}

#[tokio::test]
async fn a_disk_that_fails_loses_nothing_and_is_written_again_at_once() {
    let world = World::new(Db::Sqlite).await;
    let arguments = ["users", "create", "--email", ADMIN, "--name", "Root", "--role", "admin", "--password-stdin"];
    assert_eq!(run_on(&world, &[], &arguments, PASSWORD).await.code, 0);
    let (shim, control) = (build_shim(world.folder()), world.folder().join("fault"));
    let preloaded = [("LD_PRELOAD", shim.as_path()), ("DISK_FAULT", &control)];
    let server = Arc::new(Process::start_in(&world, SETTINGS, &preloaded).await);
    let seen = Arc::new(Seen::default());
    let clients = begin(&server, &world, &seen).await;

    let mut longest = Duration::ZERO;
    for at in 0..FAULTS {
        longest = longest.max(fail_once(&server, &seen, &control, MODES[at % MODES.len()]).await);
        let wrong = seen.wrong.lock().unwrap().clone();
        assert!(wrong.is_empty(), "{wrong:#?}\n{}", server.log());
    }
    seen.is_over.store(true, Ordering::SeqCst);
    clients.join_all().await;
    let log = server.log();
    assert!(!log.contains("ERROR"), "{log}");

    // Background work goes on as well.
    let email = world.fresh_email();
    assert_eq!(server.sign_up(&email).await.unwrap().status(), 201);
    let is_mailed =
        |file: std::fs::DirEntry| std::fs::read_to_string(file.path()).is_ok_and(|mail| mail.contains(&email));
    eventually("a mail is sent", RECOVERY_MAX, async || {
        std::fs::read_dir(world.folder().join("mail")).unwrap().any(|file| is_mailed(file.unwrap()))
    })
    .await;

    let mut missing = lost(&server, &world, &seen).await;
    server.kill_now().await;
    let server = Process::start(&world, &[]).await;
    missing.extend(lost(&server, &world, &seen).await);
    #[expect(clippy::print_stdout, reason = "the figures are read by people")]
    let () = println!(
        "{FAULTS} faults, {} writes acknowledged, {} refused with 503, {} lost, {} reads, longest recovery {longest:?}",
        seen.acknowledged.load(Ordering::SeqCst),
        seen.refused.load(Ordering::SeqCst),
        missing.len(),
        seen.read.load(Ordering::SeqCst),
    );
    assert_eq!(missing, Vec::<String>::new());
}
