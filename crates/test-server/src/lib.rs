//! Denizen in the process of an application's tests.
//!
//! A [`TestServer`] has a temporary database, a port of its own, a clock that the test sets, captured mail, and users who are
//! signed in. It reads neither the environment nor configuration files, and leaves nothing behind.
//!
//! ```
//! use denizen_test_server::TestServer;
//!
//! # let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
//! # runtime.block_on(async {
//! let server = TestServer::start().await;
//! let ada = server.user().await;
//! let caller = server.denizen().accounts().verify_token(&ada.access_token).await.unwrap();
//! assert_eq!(caller.role.as_str(), "user");
//! # });
//! ```
//!
//! `docs/testing.md` is the guide.

mod builder;
mod mail;
mod provider;
mod server;

pub use builder::TestServerBuilder;
pub use denizen_testkit::FakeClock;
pub use mail::Mail;
pub use provider::FakeProvider;
pub use server::{PASSWORD, SignedInUser, TestServer};

/// The examples of the guide compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/testing.md")]
struct Guide;
