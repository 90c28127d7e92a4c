//! The gRPC contract of Denizen, generated from `proto/denizen/v1`: messages, servers and clients.
//!
//! The files there are the documentation, and their comments are repeated here. A client brings a channel:
//!
//! ```no_run
//! use denizen_proto::v1::session_service_client::SessionServiceClient;
//! use denizen_proto::v1::user_service_client::UserServiceClient;
//! use denizen_proto::v1::{GetMeRequest, SignInRequest};
//! use tonic::Request;
//! use tonic::transport::Endpoint;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let channel = Endpoint::from_static("http://127.0.0.1:8080").connect().await?;
//! let (email, password) = ("ada@example.com".into(), "correct horse battery".into());
//! let credentials = SignInRequest { email, password, ..Default::default() };
//! let signed_in = SessionServiceClient::new(channel.clone()).sign_in(credentials).await?.into_inner();
//!
//! let token = signed_in.tokens.unwrap_or_default().access_token;
//! let mut request = Request::new(GetMeRequest {});
//! request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
//! let me = UserServiceClient::new(channel).get_me(request).await?.into_inner();
//! println!("{:?}", me.user);
//! # Ok(())
//! # }
//! ```

/// The package `denizen.v1`.
#[expect(clippy::all, clippy::pedantic, reason = "generated")]
pub mod v1 {
    tonic::include_proto!("denizen.v1");
}

/// What describes the package and all that it imports, for reflection: an encoded `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/denizen.v1.binpb"));

include!(concat!(env!("OUT_DIR"), "/streams.rs"));

/// Messages that carry a secret do not print it.
macro_rules! redact {
    ($($Message:ident),+ $(,)?) => {$(
        impl std::fmt::Debug for v1::$Message {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($Message), " [redacted]"))
            }
        }
    )+};
}

include!(concat!(env!("OUT_DIR"), "/redacted.rs"));
