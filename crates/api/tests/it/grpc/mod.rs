//! gRPC and gRPC-web: the generated client, and frames that no client sends.

pub(crate) mod client;
mod events;
mod flow;
mod followers;
mod frames;
mod parity;
mod resources;
mod streams;
mod surface;
mod users;
mod web;

pub(crate) use client::{Rpc, refused};
