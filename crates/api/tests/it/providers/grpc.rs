//! Native codes and tokens of the provider over gRPC.

use denizen_proto::v1;
use denizen_proto::v1::{link_identity_request as link, sign_in_with_provider_request as sign_in};
use serde_json::json;
use tonic::{Code, Status};

use super::issuer::Issuer;
use super::{VERIFIER, ada};
use crate::grpc::{Rpc, refused};
use crate::harness::on_both;

fn native(code: String, nonce: &str) -> v1::ProviderAuthorizationCode {
    v1::ProviderAuthorizationCode {
        provider: "acme".to_owned(),
        authorization_code: code,
        nonce: nonce.to_owned(),
        ..Default::default()
    }
}

async fn nonce(rpc: &Rpc) -> String {
    let request = v1::CreateNonceRequest { provider: "acme".to_owned() };
    rpc.identities().create_nonce(request).await.unwrap().into_inner().nonce
}

async fn signed_in(rpc: &Rpc, code: v1::ProviderAuthorizationCode) -> Result<v1::SignInWithProviderResponse, Status> {
    let proof = Some(sign_in::Proof::AuthorizationCode(code));
    let answer = rpc.identities().sign_in_with_provider(v1::SignInWithProviderRequest { proof, label: None }).await;
    answer.map(tonic::Response::into_inner)
}

on_both! {
    async fn a_native_code_signs_in_and_its_tokens_are_handed_out(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[("providers.acme.keep_tokens", "true")])).await;
        issuer.user(ada());
        let rpc = Rpc::to(&app);
        let made = nonce(&rpc).await;
        let mut code = native(issuer.code(&[("nonce", &made)]), &made);
        code.redirect_uri = Some("https://evil.example/".to_owned());
        refused(signed_in(&rpc, code.clone()).await, Code::InvalidArgument, "invalid_input");
        code.redirect_uri = None;
        let body = signed_in(&rpc, code).await.unwrap();
        let (user, tokens) = (body.user.unwrap(), body.tokens.unwrap());
        assert_eq!(user.email, "ada@example.com");
        let again = native(issuer.code(&[("nonce", &made)]), &made);
        refused(signed_in(&rpc, again).await, Code::Unauthenticated, "invalid_code");

        let own = rpc.by(&tokens.access_token);
        let listed = own.identities().list_identities(v1::ListIdentitiesRequest::default()).await.unwrap().into_inner();
        let request = v1::GetProviderTokenRequest { id: listed.identities[0].id.clone(), user_id: user.id.clone() };
        let denied = own.identities().get_provider_token(request.clone()).await;
        refused(denied, Code::PermissionDenied, "forbidden");
        let admin = rpc.by(&app.admin().await.token);
        let answer = admin.identities().get_provider_token(request.clone()).await.unwrap().into_inner();
        assert_eq!((answer.access_token.as_str(), answer.scope.as_deref()), ("access-1", Some("openid files")));
        assert!(answer.expires_at.is_some() && !format!("{answer:?}").contains("access-1"));
        issuer.set_lifetime_s(0);
        let made = nonce(&rpc).await;
        signed_in(&rpc, native(issuer.code(&[("nonce", &made)]), &made)).await.unwrap();
        issuer.revoke_refresh_tokens();
        let gone = admin.identities().get_provider_token(request).await;
        refused(gone, Code::FailedPrecondition, "provider_tokens_gone");
    }

    async fn a_wrong_proof_does_not_end_the_session(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        issuer.user(json!({"sub": "1"}));
        let user = app.user().await;
        let rpc = Rpc::to(&app).by(&user.token);
        let made = nonce(&rpc).await;
        let link = async |proof| rpc.identities().link_identity(v1::LinkIdentityRequest { proof: Some(proof) }).await;
        let code = v1::ProviderCode { code: "dnx_A".to_owned(), code_verifier: VERIFIER.to_owned() };
        refused(link(link::Proof::Code(code)).await, Code::InvalidArgument, "invalid_input");
        let wrong = link::Proof::AuthorizationCode(native("guess".to_owned(), &made));
        refused(link(wrong).await, Code::InvalidArgument, "invalid_input");
        let good = link::Proof::AuthorizationCode(native(issuer.code(&[("nonce", &made)]), &made));
        assert_eq!(link(good).await.unwrap().into_inner().identity.unwrap().subject, "1");
    }
}
