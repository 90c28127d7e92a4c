//! A software authenticator with the browser around it, by the crate `passkey`: an implementation of WebAuthn that shares no
//! code with the server or with the authenticator of the other tests. It reads one command on each line of its input, in
//! JSON, and writes the result on a line of its output.

use std::error::Error;
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use passkey::authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod};
use passkey::client::{Client, ClientData};
use passkey::crypto::aws_lc_rs::AwsLcRsBackend;
use passkey::types::Passkey;
use passkey::types::ctap2::{Aaguid, Ctap2Error};
use passkey::types::webauthn::{CredentialCreationOptions, CredentialRequestOptions};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

/// The model that it states (AAGUID).
const AAGUID: [u8; 16] = [9; 16];

/// A command.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Command {
    /// `navigator.credentials.create` on a page of an origin.
    Create {
        origin: Url,
        options: Value,
        #[serde(default)]
        client_data: Change,
    },
    /// `navigator.credentials.get` on a page of an origin.
    Get {
        origin: Url,
        options: Value,
        #[serde(default)]
        client_data: Change,
    },
    /// Sets the counter of the passkey back, or forward.
    SetCounter { counter: u32 },
    /// Whether the authenticator verifies its user from now on.
    SetVerifying { is_verifying: bool },
}

/// What is different in the client data.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    /// More members.
    #[serde(default)]
    members: Map<String, Value>,
    /// The hash that is signed in place of that of the client data, in bytes.
    hash: Option<Vec<u8>>,
}

impl ClientData<Map<String, Value>> for Change {
    fn extra_client_data(&self) -> Map<String, Value> {
        self.members.clone()
    }

    fn client_data_hash(&self) -> Option<Vec<u8>> {
        self.hash.clone()
    }
}

/// A user who is always present.
#[derive(Clone)]
struct User {
    is_verified: Arc<AtomicBool>,
}

#[async_trait]
impl UserValidationMethod for User {
    type PasskeyItem = Passkey;

    async fn check_user<'a>(&self, _: UiHint<'a, Passkey>, _: bool, _: bool) -> Result<UserCheck, Ctap2Error> {
        Ok(UserCheck { presence: true, verification: self.is_verified.load(Ordering::Relaxed) })
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let user = User { is_verified: Arc::new(AtomicBool::new(true)) };
    let store: Option<Passkey> = None;
    let mut authenticator = Authenticator::new(Aaguid::from(AAGUID), store, user.clone(), AwsLcRsBackend);
    authenticator.set_make_credentials_with_signature_counter(true);
    let mut client = Client::new(authenticator).allows_insecure_localhost(true);
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let result = match serde_json::from_str(&line?)? {
            Command::Create { origin, options, client_data } => {
                let options: CredentialCreationOptions = serde_json::from_value(options)?;
                let created = runtime.block_on(client.register(&origin, options, client_data));
                result(created)?
            }
            Command::Get { origin, options, client_data } => {
                let options: CredentialRequestOptions = serde_json::from_value(options)?;
                let used = runtime.block_on(client.authenticate(&origin, options, client_data));
                result(used)?
            }
            Command::SetCounter { counter } => {
                let passkey = client.authenticator_mut().store_mut().as_mut().ok_or("there is no passkey")?;
                passkey.counter = Some(counter);
                json!({})
            }
            Command::SetVerifying { is_verifying } => {
                user.is_verified.store(is_verifying, Ordering::Relaxed);
                json!({})
            }
        };
        writeln!(output, "{result}")?;
        output.flush()?;
    }
    Ok(())
}

fn result(credential: Result<impl serde::Serialize, impl std::fmt::Debug>) -> serde_json::Result<Value> {
    Ok(match credential {
        Ok(credential) => json!({"credential": serde_json::to_value(credential)?}),
        Err(error) => json!({"error": format!("{error:?}")}),
    })
}
