//! The log of what happened, and following it.

mod client;
mod pages;
mod resume;
mod revocations;
mod sse;
mod ws;
mod ws_http2;
