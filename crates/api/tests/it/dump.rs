//! Whoever gets a copy of the database gets nothing that signs in.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Column, Connection, Row};

use crate::harness::{PASSWORD, SignedIn, TestApp, on_both};
use crate::totp::Authenticator;

/// Every value in every table, as bytes.
async fn dump(app: &TestApp) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(file) = app.world.sqlite_file() {
        // The log holds what the file does not yet.
        for suffix in ["", "-wal"] {
            bytes.extend(std::fs::read(format!("{}{suffix}", file.display())).unwrap_or_default());
        }
        return bytes;
    }
    let mut connection = sqlx::PgConnection::connect(&app.world.database_url).await.unwrap();
    let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
    for table in sqlx::query(tables).fetch_all(&mut connection).await.unwrap() {
        let table: String = table.get(0);
        let rows =
            sqlx::query(AssertSqlSafe(format!("SELECT * FROM \"{table}\""))).fetch_all(&mut connection).await.unwrap();
        for row in rows {
            for column in row.columns() {
                let raw = row.try_get_raw(column.ordinal()).unwrap();
                bytes.extend(raw.as_bytes().unwrap_or_default());
                bytes.push(b'\n');
            }
        }
    }
    bytes
}

fn contains(dump: &[u8], needle: &[u8]) -> bool {
    dump.windows(needle.len()).any(|window| window == needle)
}

/// Sets a second factor up; returns its secret, bare and in base32, and the recovery codes.
async fn enrol(app: &TestApp, user: &SignedIn) -> Vec<String> {
    let made = app.post_as("/api/v1/me/totp", &user.token, &json!({})).await.json::<Value>().await.unwrap();
    let code = Authenticator::scan(made["uri"].as_str().unwrap()).code(app.services.clock.now());
    let confirmed = app.post_as("/api/v1/me/totp/confirm", &user.token, &json!({"code": code})).await;
    let confirmed: Value = confirmed.json().await.unwrap();
    let codes = confirmed["recovery_codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned());
    let bare: Vec<String> = codes.clone().map(|code| code.replace('-', "")).collect();
    codes.chain(bare).chain([made["secret"].as_str().unwrap().to_owned()]).collect()
}

on_both! {
    async fn a_dump_holds_nothing_that_signs_in(app: TestApp) {
        let (user, admin) = (app.user().await, app.admin().await);
        let body = json!({"name": "mine", "scopes": []});
        let keyed = app.request(Method::POST, "/api/v1/api-keys", Some(&user.token)).json(&body);
        let keyed: Value = keyed.header("idempotency-key", "once").send().await.unwrap().json().await.unwrap();
        let key = keyed["key"].as_str().unwrap();
        let refresh = app.request(Method::POST, "/api/v1/sessions/refresh", None).json(&json!({"refresh_token": user.refresh_token}));
        let refreshed: Value = refresh.header("idempotency-key", "twice").send().await.unwrap().json().await.unwrap();

        let codes = enrol(&app, &admin).await;
        assert_eq!(app.post("/api/v1/password-resets", &json!({"email": user.email})).await.status(), 202);
        let reset = app.token_to(&user.email, "reset-password").await;
        let challenge = app.try_sign_in(&admin.email, PASSWORD).await.json::<Value>().await.unwrap();
        let challenge = challenge["challenge_id"].as_str().unwrap();

        let dump = dump(&app).await;
        assert!(contains(&dump, user.email.as_bytes()), "the dump is one");
        for secret in [&user.token, &user.refresh_token, &admin.token, key, PASSWORD,
            refreshed["refresh_token"].as_str().unwrap(), refreshed["access_token"].as_str().unwrap()] {
            assert!(!contains(&dump, secret.as_bytes()));
        }
        // Nor the bytes behind them.
        for secret in &codes {
            assert!(!contains(&dump, secret.as_bytes()), "{secret}");
        }
        for token in [&user.refresh_token, key, &reset, challenge] {
            let bytes = URL_SAFE_NO_PAD.decode(&token[4..]).unwrap();
            assert!(!contains(&dump, &bytes[16 + 8..]), "the secret part of a token");
        }
        // Nor a private key: PKCS #8 says what it is.
        let ec_key = [0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
        assert!(!contains(&dump, &ec_key), "a private key in the clear");
        let master = std::fs::read(app.world.folder().join("master.key")).unwrap();
        assert!(!contains(&dump, master.trim_ascii()));
    }
}
