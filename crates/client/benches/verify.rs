//! What a request pays for its token: `cargo bench --package denizen-client --bench verify`.
//!
//! `raw` is the signature check of the cryptographic library alone, `warm` a verification with keys but without the cache,
//! `cached` one of a token that was seen before, `cold` the first of a new verifier, without the network.

use std::collections::VecDeque;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group};
use denizen_client::transport::{Body, BoxFuture, Request, Response, Transport, TransportError};
use denizen_client::{Clock, RevocationFeed, SystemClock, Verifier};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

#[path = "../tests/it/support/issuer.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "shared with the tests, which use more of it")]
mod issuer;

use issuer::{Alg, Issuer};

const ISSUER: &str = "https://accounts.example.com";
const AUDIENCE: &str = "denizen";
const NOW_S: u64 = 1_800_000_000;
const USER: &str = "01a20480-cb21-74a3-927c-8c597a1539c8";
const SESSION: &str = "01a20480-cd0d-7ef8-9a3f-6b05e0590813";
const API_KEY: &str = "01a20480-d111-7aaa-8bbb-0123456789ab";
const REVOKED: u32 = 1_000_000;

/// Replies with the keys, or with a snapshot of revocations.
#[derive(Debug, Clone)]
struct Server;

impl Transport for Server {
    fn send<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Response, TransportError>> {
        Box::pin(std::future::ready(Ok(if request.url.ends_with("revocations") {
            Response { body: Box::new(snapshot()), ..Response::full(200, "text/event-stream", "") }
        } else {
            Response::full(200, "application/json", Issuer::shared().jwks().to_string())
        })))
    }
}

/// Revocations in parts of 1000, each made when it is read.
struct Snapshot(VecDeque<u32>);

fn snapshot() -> Snapshot {
    Snapshot((0..=REVOKED / 1000).collect())
}

impl Body for Snapshot {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
        let Some(part) = self.0.pop_front() else { return Box::pin(std::future::pending()) };
        if part == REVOKED / 1000 {
            return Box::pin(std::future::ready(Ok(Some("event: heartbeat\ndata: {\"cursor\":\"c\"}\n\n".into()))));
        }
        let mut text = String::new();
        for number in part * 1000..(part + 1) * 1000 {
            let id = id(number);
            let data =
                json!({"cursor": "c", "session_id": id.to_string(), "since": "2100-01-01T00:00:00Z"}).to_string();
            text.extend(["event: revocation\ndata: ", &data, "\n\n"]);
        }
        Box::pin(std::future::ready(Ok(Some(text.into()))))
    }
}

/// An id with random bits, as those of sessions have.
fn id(number: u32) -> Uuid {
    let hash = digest(&SHA256, &number.to_le_bytes());
    Uuid::from_bytes(hash.as_ref()[..16].try_into().expect("16 bytes"))
}

/// A user's token that is valid now.
fn token(alg: Alg) -> String {
    let now_s = SystemClock::new().unix_time().as_secs();
    let permissions = "notes:read notes:write";
    let claims = json!({"iat": now_s, "exp": now_s + 3600, "auth_time": now_s, "scope": permissions});
    Issuer::shared().token_of(alg, &json!({}), &claims)
}

fn verifier(runtime: &Runtime, cache_size: usize, feed: Option<RevocationFeed>) -> Verifier {
    let builder = Verifier::builder(ISSUER).audience(AUDIENCE).server_url(ISSUER);
    let builder = builder.transport(Server).cache_size(cache_size);
    let builder = match feed {
        Some(feed) => builder.revocations(feed),
        None => builder,
    };
    let verifier = builder.build().expect("the settings are valid");
    runtime.block_on(verifier.refresh_keys()).expect("the keys are valid");
    verifier
}

/// A verification that does not wait.
fn verify(verifier: &Verifier, token: &str) {
    let mut verifying = pin!(verifier.verify(black_box(token)));
    match verifying.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(claims)) => drop(black_box(claims)),
        other => panic!("{other:?}"),
    }
}

fn raw_key(alg: Alg) -> ParsedPublicKey {
    let jwk = Issuer::shared().jwk(alg);
    let part = |name: &str| decode(&jwk[name]);
    let key = match alg {
        Alg::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [vec![4], part("x"), part("y")].concat()),
        Alg::EdDsa => ParsedPublicKey::new(&ED25519, part("x")),
        Alg::Rs256 => {
            let (n, e) = (part("n"), part("e"));
            let der: PublicKeyX509Der<'_> = RsaPublicKeyComponents { n: &n, e: &e }.as_der().expect("the key is valid");
            ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der.as_ref())
        }
    };
    key.expect("the key is valid")
}

fn decode(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().unwrap_or_default()).expect("the text is base64url")
}

fn per_algorithm(c: &mut Criterion) {
    let runtime = runtime();
    let (warm, cached) = (verifier(&runtime, 0, None), verifier(&runtime, 1000, None));
    for alg in Alg::ALL {
        let (name, token, key) = (alg.name(), token(alg), raw_key(alg));
        let (message, signature) = token.rsplit_once('.').expect("a token has parts");
        let signature = decode(&signature.into());
        c.bench_function(&format!("raw/{name}"), |b| {
            b.iter(|| key.verify_sig(black_box(message.as_bytes()), black_box(&signature)).expect("it is signed"));
        });
        c.bench_function(&format!("warm/{name}"), |b| b.iter(|| verify(&warm, &token)));
        verify(&cached, &token);
        c.bench_function(&format!("cached/{name}"), |b| b.iter(|| verify(&cached, &token)));
        c.bench_function(&format!("cold/{name}"), |b| {
            let new = || Verifier::builder(ISSUER).audience(AUDIENCE).server_url(ISSUER).transport(Server).build();
            let new = || new().expect("the settings are valid");
            b.iter_batched(new, |verifier| runtime.block_on(verifier.verify(&token)).is_ok(), BatchSize::SmallInput);
        });
    }
    let token = token(Alg::Es256);
    c.bench_function(&format!("sha256/{} bytes", token.len()), |b| {
        b.iter(|| digest(&SHA256, black_box(token.as_bytes())));
    });
}

fn with_revocations(c: &mut Criterion) {
    let runtime = runtime();
    let before = resident_mib();
    let _context = runtime.enter();
    let feed = RevocationFeed::builder(ISSUER).transport(Server).start().expect("the settings are valid");
    runtime.block_on(feed.caught_up());
    if let (Some(before), Some(after)) = (before, resident_mib()) {
        eprintln!("{} revocations: {:.1} MiB resident", feed.len(), after - before);
    }
    let (verifier, token) = (verifier(&runtime, 1000, Some(feed)), token(Alg::Es256));
    verify(&verifier, &token);
    c.bench_function("cached/ES256 with 1,000,000 revocations", |b| b.iter(|| verify(&verifier, &token)));
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime can be built")
}

/// The resident memory of the process, on Linux.
fn resident_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u32 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(f64::from(kib) / 1024.0)
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    // The first is measured on a process whose memory is still small.
    targets = with_revocations, per_algorithm
}
criterion::criterion_main!(benches);
