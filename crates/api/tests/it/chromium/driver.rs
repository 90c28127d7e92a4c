//! Chromium over the protocol of its debugger (CDP): as much of it as the tests use.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::harness::eventually;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a condition is checked.
const INTERVAL: Duration = Duration::from_millis(20);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Pending = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;

/// A page in a browser of its own.
pub(super) struct Page {
    sink: tokio::sync::Mutex<SplitSink<Socket, Message>>,
    pending: Pending,
    /// What the scripts of the page threw.
    exceptions: Arc<Mutex<Vec<String>>>,
    next: AtomicU64,
    session: String,
    authenticator: String,
    _process: Child,
    _profile: tempfile::TempDir,
}

impl Page {
    /// Starts a browser with an authenticator that verifies its user.
    pub(super) async fn start() -> Self {
        Self::start_with(Device::Platform).await
    }

    /// Starts a browser with an authenticator.
    pub(super) async fn start_with(device: Device) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let (process, url) = launch(&profile).await;
        let (socket, _) = connect_async(url).await.unwrap();
        let (sink, stream) = socket.split();
        let (pending, exceptions) = (Pending::default(), Arc::default());
        tokio::spawn(receive(stream, Arc::clone(&pending), Arc::clone(&exceptions)));
        let mut page = Self {
            sink: tokio::sync::Mutex::new(sink),
            pending,
            exceptions,
            next: AtomicU64::new(1),
            session: String::new(),
            authenticator: String::new(),
            _process: process,
            _profile: profile,
        };
        let target = page.send("Target.createTarget", json!({"url": "about:blank"})).await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        page.session = text(&page.send("Target.attachToTarget", attach).await["sessionId"]);
        page.send("Runtime.enable", json!({})).await;
        page.send("WebAuthn.enable", json!({"enableUI": false})).await;
        let (protocol, transport) = device.protocol_and_transport();
        let verifies = device == Device::Platform;
        let options = json!({"protocol": protocol, "transport": transport, "hasResidentKey": verifies,
            "hasUserVerification": verifies, "isUserVerified": verifies, "automaticPresenceSimulation": true});
        let added = page.send("WebAuthn.addVirtualAuthenticator", json!({"options": options})).await;
        page.authenticator = text(&added["authenticatorId"]);
        page
    }

    /// Removes passkeys from the browser, for the pages that are opened from now on.
    pub(super) async fn remove_passkeys(&self) {
        self.send("Page.enable", json!({})).await;
        let source = json!({"source": "delete window.PublicKeyCredential"});
        self.send("Page.addScriptToEvaluateOnNewDocument", source).await;
    }

    /// Lets pages that are opened from now on run scripts, or none.
    pub(super) async fn run_scripts(&self, scripts: Scripts) {
        let is_disabled = scripts == Scripts::Disabled;
        self.send("Emulation.setScriptExecutionDisabled", json!({"value": is_disabled})).await;
    }

    /// Opens a URL.
    pub(super) async fn open(&self, url: &str) {
        let opened = self.send("Page.navigate", json!({"url": url})).await;
        assert!(opened.get("errorText").is_none(), "{url}: {opened}");
        self.wait("document.readyState === 'complete'").await;
    }

    /// Waits until an expression is true. It may become so on another page.
    pub(super) async fn wait(&self, condition: &str) {
        let waiting = async {
            while self.try_eval(condition).await.ok() != Some(Value::Bool(true)) {
                sleep(INTERVAL).await;
            }
        };
        if timeout(PATIENCE, waiting).await.is_err() {
            let shown = self.try_eval("location.href + '\\n' + document.body.innerText").await;
            panic!("never: {condition}\n{shown:?}\n{:?}", self.exceptions.lock().unwrap());
        }
    }

    /// Waits until an element is visible.
    pub(super) async fn see(&self, selector: &str) {
        self.wait(&is_visible(selector)).await;
    }

    /// Whether an element is visible.
    pub(super) async fn sees(&self, selector: &str) -> bool {
        self.eval(&is_visible(selector)).await == true
    }

    /// Waits until the page shows a text.
    pub(super) async fn read(&self, text: &str) {
        self.wait(&format!("document.body.innerText.includes({text:?})")).await;
    }

    /// Waits until the page has called an operation of the API, since it was loaded or since [`Self::forget_calls`].
    pub(super) async fn called(&self, path: &str) {
        let called =
            format!("performance.getEntriesByType('resource').some((call) => call.name.endsWith('/api/v1{path}'))");
        self.wait(&called).await;
    }

    pub(super) async fn forget_calls(&self) {
        self.eval("performance.clearResourceTimings()").await;
    }

    /// Clicks an element as soon as it is visible and the page is not busy.
    pub(super) async fn click(&self, selector: &str) {
        self.see(selector).await;
        self.wait("!document.body.classList.contains('busy')").await;
        self.eval(&format!("document.querySelector({selector:?}).click()")).await;
    }

    /// Types into a field.
    pub(super) async fn fill(&self, selector: &str, value: &str) {
        self.see(selector).await;
        self.eval(&format!("document.querySelector({selector:?}).value = {value:?}")).await;
    }

    /// The value of an expression.
    pub(super) async fn eval(&self, expression: &str) -> Value {
        self.try_eval(expression).await.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Whether the authenticator verifies its user.
    pub(super) async fn verify_user(&self, verifies: Verification) {
        let is_verified = verifies == Verification::Succeeds;
        self.with_authenticator("WebAuthn.setUserVerified", json!({"isUserVerified": is_verified})).await;
    }

    /// Whether the user touches the authenticator when asked.
    pub(super) async fn touch(&self, touch: Touch) {
        let enabled = touch == Touch::AtOnce;
        self.with_authenticator("WebAuthn.setAutomaticPresenceSimulation", json!({"enabled": enabled})).await;
    }

    /// How many passkeys the authenticator has.
    pub(super) async fn passkeys(&self) -> usize {
        let all = self.with_authenticator("WebAuthn.getCredentials", json!({})).await;
        all["credentials"].as_array().unwrap().len()
    }

    /// Waits until the authenticator has so many passkeys.
    pub(super) async fn wait_for_passkeys(&self, count: usize) {
        eventually(&format!("{count} passkeys"), PATIENCE, async || self.passkeys().await == count).await;
    }

    /// Asserts that no script has failed.
    pub(super) fn check(&self) {
        assert_eq!(*self.exceptions.lock().unwrap(), Vec::<String>::new());
    }

    async fn with_authenticator(&self, method: &str, mut params: Value) -> Value {
        params["authenticatorId"] = json!(self.authenticator);
        self.send(method, params).await
    }

    async fn try_eval(&self, expression: &str) -> Result<Value, Value> {
        let params =
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        let mut answer = self.request("Runtime.evaluate", params).await;
        // The page that evaluated it is gone.
        if answer.get("error").is_some() || answer["result"].get("exceptionDetails").is_some() {
            return Err(answer);
        }
        Ok(answer["result"]["result"]["value"].take())
    }

    async fn send(&self, method: &str, params: Value) -> Value {
        let mut answer = self.request(method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    async fn request(&self, method: &str, params: Value) -> Value {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.pending.lock().unwrap().insert(id, sender);
        let mut message = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.sink.lock().await.send(Message::text(message.to_string())).await.unwrap();
        timeout(PATIENCE, receiver).await.unwrap_or_else(|_| panic!("no answer to {method}")).unwrap()
    }
}

/// A kind of authenticator.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Device {
    /// A phone or a computer, which verifies its user.
    Platform,
    /// A security key without a PIN.
    SecurityKey,
    /// A security key that supports U2F only.
    U2fKey,
}

impl Device {
    const fn protocol_and_transport(self) -> (&'static str, &'static str) {
        match self {
            Self::Platform => ("ctap2", "internal"),
            Self::SecurityKey => ("ctap2", "usb"),
            Self::U2fKey => ("u2f", "usb"),
        }
    }
}

/// The result of user verification.
#[derive(PartialEq, Eq)]
pub(super) enum Verification {
    Succeeds,
    Fails,
}

/// Whether pages run scripts.
#[derive(PartialEq, Eq)]
pub(super) enum Scripts {
    Enabled,
    Disabled,
}

/// When the user touches the authenticator. It counts for the requests that follow: one that is waiting for a touch stays
/// without an answer.
#[derive(PartialEq, Eq)]
pub(super) enum Touch {
    AtOnce,
    Never,
}

/// Starts Chromium, and waits until it tells the URL of its debugger.
async fn launch(profile: &tempfile::TempDir) -> (Child, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/chromium");
    let found = Command::new(script).output().await.unwrap();
    assert!(found.status.success(), "scripts/chromium found none");
    let mut command = Command::new(String::from_utf8(found.stdout).unwrap().trim());
    command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]);
    command.args([
        "--no-proxy-server",
        "--disable-background-networking",
        "--disable-component-update",
        "--mute-audio",
    ]);
    command.args(["--lang=en", "--accept-lang=en", "--remote-debugging-port=0", "about:blank"]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut process = command.spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let url = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(url) = line.strip_prefix("DevTools listening on ") {
                return url.to_owned();
            }
        }
        panic!("Chromium did not start");
    };
    let url = timeout(PATIENCE, url).await.expect("Chromium did not start in time");
    // A full pipe would stop it.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (process, url)
}

/// Passes answers on, and notes exceptions.
async fn receive(mut stream: SplitStream<Socket>, pending: Pending, exceptions: Arc<Mutex<Vec<String>>>) {
    while let Some(Ok(message)) = stream.next().await {
        let Ok(text) = message.to_text() else { continue };
        let Ok(message) = serde_json::from_str::<Value>(text) else { continue };
        let waiting = message["id"].as_u64().and_then(|id| pending.lock().unwrap().remove(&id));
        if let Some(waiting) = waiting {
            // The test may have given up.
            drop(waiting.send(message));
        } else if message["method"] == "Runtime.exceptionThrown" {
            exceptions.lock().unwrap().push(message["params"]["exceptionDetails"].to_string());
        }
    }
}

fn is_visible(selector: &str) -> String {
    format!("Boolean(document.querySelector({selector:?})?.checkVisibility())")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
