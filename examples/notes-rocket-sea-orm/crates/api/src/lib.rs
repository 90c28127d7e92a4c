//! The HTTP API.
//!
//! Reading order: `bodies` (JSON) → `guards` (input) → `routes` (handlers) → `error` and `respond` (responses) → `app`.

mod auth;
mod bodies;
mod error;
mod guards;
mod log;
mod openapi;
mod respond;
mod routes;
pub mod settings;
pub mod startup;

use std::net::SocketAddr;

use denizen_client::Verifier;
use denizen_client::rocket::AuthFairing;
use domain::NoteService;
use rocket::config::{LogLevel, Shutdown};
use rocket::{Build, Config, Rocket};

use crate::log::RequestLog;

/// How long requests in progress may take after the signal to stop, in seconds.
const SHUTDOWN_TIMEOUT_S: u32 = 30;

/// The application. `/openapi.json` and `/health` do not require a token.
#[must_use]
pub fn app(address: SocketAddr, verifier: Verifier, notes: NoteService) -> Rocket<Build> {
    rocket::custom(config(address))
        .attach(RequestLog)
        .attach(AuthFairing::new(verifier))
        .manage(notes)
        .mount("/", routes::all())
        .register("/", respond::catchers())
}

/// The settings of Rocket: signals and logs belong to the service.
fn config(address: SocketAddr) -> Config {
    let mut shutdown = Shutdown { ctrlc: false, grace: SHUTDOWN_TIMEOUT_S, ..Shutdown::default() };
    #[cfg(unix)]
    shutdown.signals.clear();
    Config {
        address: address.ip(),
        port: address.port(),
        log_level: LogLevel::Off,
        cli_colors: false,
        shutdown,
        ..Config::release_default()
    }
}
