//! Compiles `proto/denizen/v1` with a protoc in Rust: nothing has to be installed.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost::Message;
use prost_types::FileDescriptorSet;

const PACKAGE: &str = "denizen/v1";
/// The messages that carry a secret, which their `Debug` does not print.
const SECRET: [&str; 60] = [
    "AcceptInvitationRequest",
    "AcceptInvitationWithPasskeyRequest",
    "AcceptInvitationWithPasskeyResponse",
    "BeginTotpResponse",
    "Challenge",
    "ChangePasswordRequest",
    "ClientCredentials",
    "ConfirmEmailChangeRequest",
    "ConfirmEmailVerificationRequest",
    "ConfirmPasswordResetRequest",
    "ConfirmTotpRequest",
    "ConfirmTotpResponse",
    "CreateApiKeyResponse",
    "CreateEnrolmentOptionsRequest",
    "CreateInvitationOptionsRequest",
    "CreateNonceResponse",
    "CreateProviderRequest",
    "CreateChallengeOptionsRequest",
    "CreateResetOptionsRequest",
    "CreateTicketResponse",
    "CreateUserRequest",
    "CreateWebhookResponse",
    "EnrolChallengeRequest",
    "EnrolChallengeResponse",
    "FinishChallengeRequest",
    "FinishChallengeResponse",
    "FinishChallengeWithNewPasskeyRequest",
    "FinishChallengeWithNewPasskeyResponse",
    "FinishChallengeWithPasskeyRequest",
    "FinishChallengeWithPasskeyResponse",
    "FollowSignInLinkRequest",
    "FollowSignInLinkResponse",
    "GetProviderTokenResponse",
    "GrantTokenRequest",
    "GrantTokenResponse",
    "ImportUser",
    "IntrospectRequest",
    "LinkIdentityRequest",
    "ProviderAuthorizationCode",
    "ProviderCode",
    "ProviderIdToken",
    "PasskeyAnswer",
    "RefreshSessionRequest",
    "ReplaceRecoveryCodesResponse",
    "RequestSignInCodeResponse",
    "ResetWithPasskeyRequest",
    "ResetWithPasskeyResponse",
    "RevokeRequest",
    "RotateApiKeyResponse",
    "RotateWebhookSecretResponse",
    "SignInRequest",
    "SignInResponse",
    "SignInWithProviderRequest",
    "SignInWithProviderResponse",
    "SignInWithPasskeyRequest",
    "SignInWithPasskeyResponse",
    "StepUpRequest",
    "Tokens",
    "TotpSecret",
    "UpdateProviderRequest",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let folder = root.join(PACKAGE);
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_, Box<dyn Error>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "proto"));
    files.sort();

    let descriptors = protox::compile(&files, [&root])?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("there is no OUT_DIR")?);
    fs::write(out.join("denizen.v1.binpb"), descriptors.encode_to_vec())?;
    fs::write(out.join("streams.rs"), streams(&descriptors))?;
    fs::write(out.join("redacted.rs"), format!("redact!({});\n", SECRET.join(", ")))?;
    // A channel is the business of whoever calls: the server needs none.
    tonic_prost_build::configure()
        .build_transport(false)
        .skip_debug(SECRET.map(|message| format!("denizen.v1.{message}")))
        .compile_fds(descriptors)?;
    Ok(())
}

/// Constants with the paths of the methods that stream.
fn streams(descriptors: &FileDescriptorSet) -> String {
    let (mut uploads, mut all) = (Vec::new(), Vec::new());
    for file in descriptors.file.iter().filter(|file| file.package() == PACKAGE.replace('/', ".")) {
        for service in &file.service {
            for method in &service.method {
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                if method.client_streaming() {
                    uploads.push(path.clone());
                }
                if method.client_streaming() || method.server_streaming() {
                    all.push(path);
                }
            }
        }
    }
    format!(
        "/// The paths of all methods whose requests or responses are streams.\n\
         pub const STREAMING_METHODS: &[&str] = &{all:?};\n\
         /// The paths of all methods whose requests are streams.\n\
         pub const CLIENT_STREAMING_METHODS: &[&str] = &{uploads:?};\n"
    )
}
