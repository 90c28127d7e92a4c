//! The gRPC contract of Denizen, generated from `proto/denizen/v1`: messages, servers and clients.
//!
//! The files there are the documentation, and their comments are repeated here.

/// The package `denizen.v1`.
#[expect(clippy::all, clippy::pedantic, reason = "generated")]
pub mod v1 {
    tonic::include_proto!("denizen.v1");
}

/// What describes the package and all that it imports, for reflection: an encoded `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/denizen.v1.binpb"));

/// Messages that carry a secret do not print it, whoever logs them.
macro_rules! redact {
    ($($Message:ident),+ $(,)?) => {$(
        impl std::fmt::Debug for v1::$Message {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($Message), " [redacted]"))
            }
        }
    )+};
}

redact!(
    ChangePasswordRequest,
    ClientCredentials,
    CreateApiKeyResponse,
    CreateUserRequest,
    GrantTokenRequest,
    GrantTokenResponse,
    ImportUser,
    IntrospectRequest,
    RefreshSessionRequest,
    RevokeRequest,
    RotateApiKeyResponse,
    SignInRequest,
    SignInResponse,
    Tokens,
);
