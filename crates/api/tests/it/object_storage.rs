//! Backups in S3-compatible object storage, with an S3 server in a process of its own that checks every signature.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use denizen::app::{Ambience, App};
use denizen_infra::s3::{S3, S3Error, S3Settings};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use crate::harness::{PASSWORD, World, on_both};
use crate::process::run_on;

const KEY: &str = "denizen-tests";
const SECRET: &str = "a secret of the tests";
const REGION: &str = "eu-central-1";
const BUCKET: &str = "accounts";

/// A running S3 server with one bucket; killed when dropped.
struct Storage {
    url: String,
    client: reqwest::Client,
    _child: Child,
}

impl Storage {
    async fn start() -> Self {
        let mut command = Command::new(python().await);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/s3/server.py")).arg("0");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let line = BufReader::new(child.stdout.take().unwrap()).lines().next_line().await.unwrap().unwrap();
        let port = serde_json::from_str::<Value>(&line).unwrap()["port"].as_u64().unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let storage = Self { url: format!("http://127.0.0.1:{port}"), client, _child: child };
        let region = format!(
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
        );
        storage.admin(Method::PUT, "", region).await;
        storage
    }

    /// A request about the bucket without a signature.
    async fn admin(&self, method: Method, rest: &str, body: impl Into<reqwest::Body>) -> String {
        let url = format!("{}/_admin/{BUCKET}{rest}", self.url);
        let response = self.client.request(method, &url).body(body).send().await.unwrap();
        assert!(response.status().is_success(), "{url}: {}", response.status());
        response.text().await.unwrap()
    }

    async fn put(&self, key: &str) {
        self.admin(Method::PUT, &format!("/{key}"), "x").await;
    }

    /// The next requests with this method fail.
    async fn fail(&self, method: &str, count: u32) {
        let url = format!("{}/_fail?method={method}&count={count}", self.url);
        assert_eq!(self.client.post(url).send().await.unwrap().status(), StatusCode::OK);
    }

    /// How many requests with this method had these query parameters.
    async fn count(&self, method: &str, query: &[&str]) -> usize {
        let log = self.client.get(format!("{}/_log", self.url)).send().await.unwrap();
        let log: Vec<Value> = log.json().await.unwrap();
        log.iter().filter(|entry| entry["method"] == method && entry["query"] == json!(query)).count()
    }

    async fn uploads(&self) -> usize {
        self.admin(Method::GET, "?uploads", "").await.matches("<UploadId>").count()
    }

    fn settings(&self) -> S3Settings {
        S3Settings {
            endpoint: self.url.parse().unwrap(),
            bucket: BUCKET.to_owned(),
            region: REGION.to_owned(),
            path_style: true,
            access_key_id: KEY.to_owned(),
            secret_access_key: SECRET.into(),
            authorities: Vec::new(),
        }
    }

    fn s3(&self) -> S3 {
        S3::new(self.settings()).unwrap()
    }

    /// The configuration of backups to the bucket.
    fn config(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("backups.s3_endpoint", &self.url),
            ("backups.s3_bucket", BUCKET),
            ("backups.s3_region", REGION),
            ("backups.s3_prefix", "nightly/"),
            ("backups.s3_access_key_id", KEY),
            ("backups.s3_secret_access_key", SECRET),
        ]
    }
}

async fn python() -> &'static str {
    static PYTHON: OnceCell<String> = OnceCell::const_new();
    PYTHON
        .get_or_init(|| async {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/s3-python");
            let output = Command::new(script).stderr(Stdio::inherit()).output().await.unwrap();
            assert!(output.status.success(), "scripts/s3-python found no Python with moto");
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        })
        .await
}

async fn app_on(world: &World, settings: &[(&str, &str)]) -> App {
    App::open_in(&world.config(settings), Ambience::default()).await.unwrap()
}

async fn create_user(world: &World) {
    let arguments = ["users", "create", "--email", "ada@example.com", "--name", "Ada", "--password-stdin"];
    assert_eq!(run_on(world, &[], &arguments, PASSWORD).await.code, 0);
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(&mut next).take(length).collect()
}

on_both! {
    async fn backups_are_uploaded_on_a_schedule_and_old_ones_deleted(world: World) {
        let storage = Storage::start().await;
        create_user(&world).await;
        let old = ["nightly/denizen-20260101T000000Z.backup", "nightly/denizen-20260102T000000Z.backup"];
        let others = ["denizen-20260101T000000Z.backup", "nightly/denizen-notes.txt", "nightly/old/denizen-20260101T000000Z.backup"];
        for key in old.iter().chain(&others) {
            storage.put(key).await;
        }
        let settings = [storage.config(), vec![("backups.keep", "2")]].concat();
        let app = app_on(&world, &settings).await;
        app.back_up().await.unwrap();
        let keys = storage.s3().list("").await.unwrap();
        let made: Vec<_> = keys.iter().filter(|key| !others.contains(&key.as_str())).collect();
        assert_eq!((keys.len(), made.len(), made[0].as_str()), (5, 2, old[1]), "{keys:?}");
        app.back_up().await.unwrap();
        assert_eq!(storage.s3().list("").await.unwrap(), keys, "the next one is due tomorrow");
        assert_eq!(storage.uploads().await, 0);

        let backup = storage.client.get(format!("{}/_admin/{BUCKET}/{}", storage.url, made[1])).send().await.unwrap();
        let file = world.folder().join("downloaded.backup");
        std::fs::write(&file, backup.bytes().await.unwrap()).unwrap();
        let verified = run_on(&world, &[], &["backup", "verify", &file.display().to_string(), "--output", "json"], "").await;
        assert_eq!(verified.json()["users"], json!(1));
        app.services.store.close().await;
    }

    async fn a_failed_upload_leaves_nothing_and_is_repeated(world: World) {
        let storage = Storage::start().await;
        create_user(&world).await;
        let app = app_on(&world, &storage.config()).await;
        storage.fail("PUT", 5).await;
        let error = format!("{:#}", app.back_up().await.unwrap_err());
        assert!(error.contains("s3://accounts/nightly/denizen-") && error.contains("SlowDown"), "{error}");
        assert_eq!((storage.uploads().await, storage.s3().list("").await.unwrap().len()), (0, 0));
        storage.fail("PUT", 2).await;
        storage.fail("GET", 2).await;
        app.back_up().await.unwrap();
        assert_eq!(storage.s3().list("nightly/").await.unwrap().len(), 1, "after two attempts");
        app.services.store.close().await;
    }

    async fn the_doctor_examines_the_bucket(world: World) {
        let storage = Storage::start().await;
        create_user(&world).await;
        let examined = async |changed: &[(&str, &str)]| {
            let mut settings = storage.config();
            settings.retain(|(key, _)| changed.iter().all(|(other, _)| other != key));
            let done = run_on(&world, &[&settings, changed].concat(), &["doctor", "--output", "json"], "").await;
            let findings: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"));
            assert!(!done.stdout.contains(SECRET) && !done.stderr.contains("X-Amz"), "{done:?}");
            let findings = findings.as_array().or(findings["findings"].as_array()).unwrap().clone();
            let found = findings.into_iter().find(|finding| finding["check"] == "backups").unwrap();
            (found["severity"].as_str().unwrap().to_owned(), found["message"].as_str().unwrap().to_owned())
        };
        let (severity, message) = examined(&[]).await;
        assert_eq!((severity.as_str(), message.as_str()), ("ok", "s3://accounts/nightly/ has no backup yet"));
        for (changed, expected) in [
            (("backups.s3_secret_access_key", "another secret"), "the secret access key is wrong"),
            (("backups.s3_access_key_id", "unknown"), "the access key does not exist"),
            (("backups.s3_bucket", "absent"), "the bucket \"absent\" does not exist"),
            (("backups.s3_region", "us-west-2"), "is in another region"),
            (("backups.s3_endpoint", "http://127.0.0.1:1"), "the object storage does not respond"),
        ] {
            let (severity, message) = examined(&[changed]).await;
            assert!(severity == "error" && message.contains(expected), "{severity}: {message}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_of_several_parts_is_the_one_that_was_written() {
    let storage = Storage::start().await;
    let s3 = storage.s3();
    let contents = noise(20 * 1024 * 1024 + 17);
    let (mut writer, upload) = s3.upload("a/b c+d.bin".to_owned());
    let written = contents.clone();
    let writing = spawn_blocking(move || {
        written.chunks(100_000).try_for_each(|chunk| writer.write_all(chunk)).and_then(|()| writer.finish())
    });
    writing.await.unwrap().unwrap();
    upload.complete().await.unwrap();
    assert_eq!(storage.count("PUT", &["partNumber", "uploadId"]).await, 3);
    let found = storage.client.get(format!("{}/_admin/{BUCKET}/a/b%20c%2Bd.bin", storage.url)).send().await.unwrap();
    assert!(found.bytes().await.unwrap() == contents, "the same bytes");
    s3.delete("a/b c+d.bin").await.unwrap();
    s3.delete("a/b c+d.bin").await.unwrap();
    assert_eq!(s3.list("").await.unwrap(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abandoned_uploads_are_aborted() {
    let storage = Storage::start().await;
    let s3 = storage.s3();
    let (writer, upload) = s3.upload("backup".to_owned());
    drop(writer);
    assert!(matches!(upload.complete().await, Err(S3Error::Canceled)));
    assert_eq!(storage.uploads().await, 0, "by the writer itself");
    for key in ["backup-a", "backup-b", "other"] {
        storage.admin(Method::POST, &format!("/{key}?uploads"), "").await;
    }
    s3.abort_uploads("backup-", |key, initiated| key == "backup-a" && initiated.starts_with("20")).await.unwrap();
    assert_eq!(storage.uploads().await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_retried_with_a_delay_and_then_fail() {
    let storage = Storage::start().await;
    let s3 = storage.s3();
    storage.put("a").await;
    storage.fail("GET", 4).await;
    assert_eq!(s3.list("").await.unwrap(), ["a"]);
    storage.fail("GET", 5).await;
    let error = tokio::time::timeout(Duration::from_mins(1), s3.list("")).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the object storage refused the request (SlowDown, status 503)");
    let wrong = S3::new(S3Settings { secret_access_key: "wrong".into(), ..storage.settings() }).unwrap();
    let before = storage.count("GET", &["encoding-type", "list-type", "prefix"]).await;
    assert!(wrong.list("").await.unwrap_err().to_string().contains("SignatureDoesNotMatch"));
    let after = storage.count("GET", &["encoding-type", "list-type", "prefix"]).await;
    assert_eq!(after - before, 1, "what cannot succeed is not repeated");
}
