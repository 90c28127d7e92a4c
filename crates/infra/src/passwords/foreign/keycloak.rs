//! Keycloak's credentials, as a realm export has them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::digest::Digest;
use super::encoding::padded_base64;
use super::pbkdf2::Pbkdf2;
use super::{Foreign, Reason, parse_argon2};

const FORM: Reason = "fields other than those of a Keycloak credential";

/// The credential. What else a realm export says of it does not matter.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credential {
    credential_data: Nested<CredentialData>,
    secret_data: Nested<SecretData>,
}

/// An object, or its JSON in a string as Keycloak keeps it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Nested<T> {
    Text(String),
    Object(T),
}

impl<T: DeserializeOwned> Nested<T> {
    fn read(self) -> Result<T, Reason> {
        match self {
            Self::Text(json) => serde_json::from_str(&json).map_err(|_| FORM),
            Self::Object(object) => Ok(object),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CredentialData {
    hash_iterations: u32,
    algorithm: String,
    #[serde(default)]
    additional_parameters: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct SecretData {
    value: String,
    salt: String,
}

/// The JSON object with `credentialData` and `secretData`.
pub(super) fn parse(json: &str) -> Result<Foreign, Reason> {
    let credential: Credential = serde_json::from_str(json).map_err(|_| FORM)?;
    let parameters = credential.credential_data.read()?;
    let secret = credential.secret_data.read()?;
    let digest = match parameters.algorithm.as_str() {
        "pbkdf2" => Digest::Sha1,
        "pbkdf2-sha256" => Digest::Sha256,
        "pbkdf2-sha512" => Digest::Sha512,
        "argon2" => return argon2(&parameters, &secret),
        _ => return Err("a Keycloak algorithm other than pbkdf2, pbkdf2-sha256, pbkdf2-sha512 and argon2"),
    };
    // Older versions derive 64 bytes with every digest, and the length can be configured.
    let key = padded_base64(&secret.value)?;
    Pbkdf2::new(digest, parameters.hash_iterations, padded_base64(&secret.salt)?, key).map(Foreign::Pbkdf2)
}

/// The parameters are lists of strings; the passes are the iterations.
fn argon2(parameters: &CredentialData, secret: &SecretData) -> Result<Foreign, Reason> {
    let parameter = |name: &str| match parameters.additional_parameters.get(name).map(Vec::as_slice) {
        Some([value]) => Ok(value.as_str()),
        _ => Err("an argon2 credential without one each of type, version, memory and parallelism"),
    };
    let version = match parameter("version")? {
        "1.0" => "16",
        "1.3" => "19",
        _ => return Err("an argon2 version other than 1.0 and 1.3"),
    };
    // PHC strings have no padding. Their reader checks all the rest.
    let unpadded = |base64: &str| base64.trim_end_matches('=').to_owned();
    parse_argon2(&format!(
        "$argon2{}$v={version}$m={},t={},p={}${}${}",
        parameter("type")?,
        parameter("memory")?,
        parameters.hash_iterations,
        parameter("parallelism")?,
        unpadded(&secret.salt),
        unpadded(&secret.value),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LETMEIN, is_refused, verifies};

    const BOB: &str = concat!(
        r#"{"type":"password","secretData":"{"#,
        r#"\"value\":\"QhK0uLsKuBDrMm9Z9XHvq4EungecFRnktPgutfjKtgVv2OTPd8D390RXFvJ8KGvqIF8pdoNxHYQyvDNNwMORpg==\","#,
        r#"\"salt\":\"yxkgwEyTnCGLn42Yr9GxBQ==\"}","#,
        r#""credentialData":"{\"hashIterations\":27500,\"algorithm\":\"pbkdf2-sha256\"}"}"#,
    );

    // The realm of Strimzi's examples, exported by Keycloak (bob@strimzi.io).
    #[test]
    fn pbkdf2() {
        verifies("bob-password", BOB);
        is_refused(&BOB.replace("27500", "1000001"));
        is_refused(&BOB.replace("27500", "-1"));
        is_refused(&BOB.replace("sha256", "sha1"));
        is_refused(&BOB.replace(r#"secretData":"{"#, r#"secretData":"["#));
    }

    // The realm of solo.io's examples, exported by Keycloak (admin1@solo.io); argon2-cffi with Keycloak's parameters.
    #[test]
    fn argon2() {
        let credential = |value: &str, salt: &str| {
            format!(
                r#"{{"secretData":{{"value":"{value}","salt":"{salt}","additionalParameters":{{}}}},
                "credentialData":{{"hashIterations":5,"algorithm":"argon2","additionalParameters":{{
                "hashLength":["32"],"memory":["7168"],"type":["id"],"version":["1.3"],"parallelism":["1"]}}}}}}"#
            )
        };
        let exported = credential("BruFLfFkjH/8erZ26NnrbkOrWiZuQyDRCHD9o0R6Scg=", "Cf9AYCE5pAbb4CKEF0GUTA==");
        verifies("password", &exported);
        let made = credential("LCO8WU2XYZDih82IL6lHdlg1DN0GXmjwRloXMgbWibk=", "MDEyMzQ1Njc4OWFiY2RlZg==");
        verifies(LETMEIN, &made);
        is_refused(&exported.replace("7168", "1048577"));
        is_refused(&exported.replace(r#""hashIterations":5"#, r#""hashIterations":21"#));
        is_refused(&exported.replace(r#"["1"]"#, r#"["17"]"#));
        is_refused(&exported.replace(r#"["1"]"#, r#"["1","1"]"#));
        is_refused(&exported.replace(r#"["id"]"#, r#"["id$v=19"]"#));
    }
}
