//! Firebase's scrypt (github.com/firebase/scrypt): the derived key encrypts the project's signer key.

use aws_lc_rs::cipher::{AES_256, AES_256_KEY_LEN, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use scrypt::Params;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::encoding::{base64, number, settings};
use super::scrypt::{cost, estimate};
use super::{Reason, is_same};
use crate::passwords::cost::Estimate;

/// Firebase's own is 64 bytes long.
const SIGNER_KEY_BYTES_MIN: usize = 32;
/// Firebase always has p=1, and some forms leave it out.
const P: u32 = 1;

pub(in crate::passwords) struct Firebase {
    params: Params,
    /// The user's salt and the project's separator.
    salt: Vec<u8>,
    signer_key: Vec<u8>,
    hash: Vec<u8>,
}

/// The texts of a hash, from whichever form.
struct Texts<'a> {
    salt: &'a str,
    separator: &'a str,
    signer_key: &'a str,
    hash: &'a str,
}

impl Firebase {
    fn new(params: Params, texts: &Texts<'_>) -> Result<Self, Reason> {
        let salt = [base64(texts.salt)?, base64(texts.separator)?].concat();
        let signer_key = base64(texts.signer_key)?;
        let hash = base64(texts.hash)?;
        if signer_key.len() < SIGNER_KEY_BYTES_MIN || hash.len() != signer_key.len() {
            return Err("a Firebase signer key shorter than 32 bytes, or not as long as the hash");
        }
        Ok(Self { params, salt, signer_key, hash })
    }

    pub(super) fn estimate(&self) -> Estimate {
        estimate(&self.params, &self.salt)
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let mut key = Zeroizing::new([0; AES_256_KEY_LEN]);
        if scrypt::scrypt(password, &self.salt, &self.params, key.as_mut_slice()).is_err() {
            return false;
        }
        let mut encrypted = self.signer_key.clone();
        let no_nonce = EncryptionContext::Iv128(FixedLength::from([0; 16]));
        let is_done = UnboundCipherKey::new(&AES_256, key.as_slice())
            .and_then(EncryptingKey::ctr)
            .and_then(|cipher| cipher.less_safe_encrypt(&mut encrypted, no_nonce))
            .is_ok();
        is_done && is_same(&encrypted, &self.hash)
    }
}

/// The forms of Ory (`$firescrypt$`), Zitadel (`$firebasescrypt$`), Supabase (`$fbscrypt$`) and SuperTokens
/// (`$f_scrypt$`, here with the signer key at its end).
pub(super) fn parse(text: &str) -> Result<Firebase, Reason> {
    let parts: Vec<&str> = text.split('$').collect();
    match *parts.as_slice() {
        ["", "firescrypt", params, salt, hash, separator, signer_key] => {
            let [ln, r, p] = settings(params, ["ln", "r", "p"])?;
            let params = cost(number(ln)?, number(r)?, number(p)?)?;
            Firebase::new(params, &Texts { salt, separator, signer_key, hash })
        }
        ["", "firebasescrypt", params, salt, hash, separator, signer_key] => {
            let [ln, r] = settings(params, ["ln", "r"])?;
            let params = cost(number(ln)?, number(r)?, P)?;
            Firebase::new(params, &Texts { salt, separator, signer_key, hash })
        }
        ["", "fbscrypt", params, salt, hash] => {
            let [version, n, r, p, separator, signer_key] = settings(params, ["v", "n", "r", "p", "ss", "sk"])?;
            if version != "1" {
                return Err("a version of $fbscrypt$ other than 1");
            }
            let params = cost(number(n)?, number(r)?, number(p)?)?;
            Firebase::new(params, &Texts { salt, separator, signer_key, hash })
        }
        ["", "f_scrypt", hash, salt, m, r, s, k] => {
            let [[m], [r], [separator], [signer_key]] =
                [settings(m, ["m"])?, settings(r, ["r"])?, settings(s, ["s"])?, settings(k, ["k"])?];
            Firebase::new(cost(number(m)?, number(r)?, P)?, &Texts { salt, separator, signer_key, hash })
        }
        ["", "f_scrypt", _, _, _, _, _] => Err("$f_scrypt$ without the signer key: add $k=<signer key>"),
        _ => Err("not a supported Firebase format"),
    }
}

/// An account and the parameters of its project, under the names of the console or of the API.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Exported {
    password_hash: String,
    salt: String,
    #[serde(alias = "base64_signer_key")]
    signer_key: String,
    #[serde(alias = "base64_salt_separator")]
    salt_separator: String,
    rounds: u32,
    #[serde(alias = "mem_cost", alias = "memoryCost")]
    mem_cost: u32,
}

/// The same as a JSON object.
pub(super) fn parse_json(json: &str) -> Result<Firebase, Reason> {
    let exported: Exported = serde_json::from_str(json).map_err(|_| "fields other than those of a Firebase hash")?;
    let texts = Texts {
        salt: &exported.salt,
        separator: &exported.salt_separator,
        signer_key: &exported.signer_key,
        hash: &exported.password_hash,
    };
    Firebase::new(cost(exported.mem_cost, exported.rounds, P)?, &texts)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{is_refused, verifies};

    // ory/kratos, hash/hasher_test.go.
    #[test]
    fn ory() {
        verifies(
            "8x4WjoDbSxJZdR",
            "$firescrypt$ln=14,r=8,p=1$sPtDhWcd1MfdAw==$\
             xbSou7FOl6mChCyzpCPIQ7tku7nsQMTFtyOZSXXd7tjBa4NtimOx7v42Gv2SfzPQu1oxM2/k4SsbOu73wlKe1A==$Bw==$\
             YE0dO4bwD4JnJafh6lZZfkp1MtKzuKAXQcDCJNJNyeCHairWHKENOkbh3dzwaCdizzOspwr/FITUVlnOAwPKyw==",
        );
    }

    // zitadel/passwap, internal/testvalues/firebasescrypt.go; the first is the sample of github.com/firebase/scrypt.
    #[test]
    fn zitadel() {
        let key = "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==";
        let hash = "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==";
        verifies("user1password", &format!("$firebasescrypt$ln=14,r=8$42xEC+ixf3L2lw==${hash}$Bw==${key}"));
        // The API of the console writes the other alphabet.
        let hash = hash.replace('+', "-").replace('/', "_");
        let object = format!(
            r#"{{"passwordHash":"{hash}","salt":"42xEC-ixf3L2lw==","base64_signer_key":"{key}",
            "base64_salt_separator":"Bw==","rounds":8,"mem_cost":14}}"#
        );
        verifies("user1password", &object);
        let hash = "EQ0tlNdKv5ZBDYN7ofOYlhhTEe5Tu9bueDmtDUhLPM+9dcS1u1ALgMcT6N1+U9GsDlVdd3FE2dmz37fU5Y8A9Q==";
        verifies("user1password", &format!("$firebasescrypt$ln=10,r=4$42xEC+ixf3L2lw==${hash}$Bw==${key}"));
        is_refused(&format!("$firebasescrypt$ln=19,r=8$42xEC+ixf3L2lw==${hash}$Bw==${key}"));
        is_refused(&format!("$firebasescrypt$ln=14,r=8$42xEC+ixf3L2lw==$lSrfV15c$Bw==${key}"));
        is_refused(&object.replace("14", "19"));
        is_refused(&object.replace("rounds", "round"));
    }

    // supabase/auth, internal/crypto/password_test.go.
    #[test]
    fn supabase() {
        let hash = "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=ou9tdYTGyYm8kuR6Dt0Bp0kDuAYoXrK16mbZO4yGwAn3oLspjnN0/c41v8\
         xZnO1n14J3MjKj1b2g6AUCAlFwMw==$C0sHCg9ek77hsg==$\
         zKVTMvnWVw5BBOZNUdnsalx4c4c7y/w7IS5p6Ut2+CfEFFlz37J9huyQfov4iizN8dbjvEJlM5tQaJP84+hfTw==";
        verifies("mytestpassword", hash);
        is_refused(&hash.replace("v=1", "v=2"));
        is_refused(&hash.replace("n=14", "n=32"));
        is_refused(&hash.replace("r=8", "r=4096"));
        is_refused(&hash.replace(",sk=", ",sx="));
    }

    // supertokens-core, FirebaseSCrypt tests; the signer key added as our form asks.
    #[test]
    fn supertokens() {
        let hash = "$f_scrypt$qZM035es5AXYqavsKD6/rhtxg7t5PhcyRgv5blc3doYbChX8keMfQLq1ra96O2Pf2TP/eZrR5xtPCYN6mX3ESA\
         ==$/cj0jC1br5o4+w==$m=14$r=8$s=Bw==";
        let key = "gRhC3eDeQOdyEn4bMd9c6kxguWVmcIVq/SKa0JDPFeM6TcEevkaW56sIWfx88OHbJKnCXdWscZx0l2WbCJ1wbg==";
        verifies("testPass123", &format!("{hash}$k={key}"));
        is_refused(hash);
    }
}
