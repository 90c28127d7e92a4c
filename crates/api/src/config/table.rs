//! All configuration keys: section, type, default, rule and description. The only list of keys, with the files of this folder.

mod backups;
mod operation;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::LazyLock;

use denizen_domain::users::{EmailDomain, Locale};
use denizen_domain::{ctx::SignupMode, keys::Algorithm, tokens::AttributeClaim};
use denizen_infra::{mail::Encryption, mail::Sender, stores::PoolerMode};
use secrecy::SecretString;
use url::Url;

use super::declare::{Key, config, section_types};
use super::rule::{
    Rule, command, database_url, display_name, domain, domains, flag, folder_path, hosts, hs256_secret, http_url,
    ip_address, locale, mailbox, master_key, networks, one_of, optional, origins, password, path, paths, pooler_mode,
    postgres_url, redirect_urls, secret_url, text, webhook_secret, whole,
};
use super::schema::{SchemaSource, attribute_claims, email_domains, schema};
use super::{AppEnv, layers::Layers, net::IpNet, providers::ProviderConfig};
pub use backups::Backups;
use operation::Metrics;
pub use operation::{Limits, Telemetry};

config! {
    server: Server,
    product: Product,
    database: Database,
    security: Security,
    signup: Signup,
    users: Users,
    sign_in: SignIn,
    webauthn: WebAuthn,
    sessions: Sessions,
    tokens: Tokens,
    mail: Mail,
    events: Events,
    audit: Audit,
    backups: Backups,
    apply: Apply,
    webhooks: Webhooks,
    limits: Limits,
    metrics: Metrics,
    telemetry: Telemetry,
}

section_types! {
    /// The listener and its address.
    server: Server {
        /// The address to listen on. `0.0.0.0` listens on all IPv4 addresses, `::` on all addresses.
        host: IpAddr = "127.0.0.1", ip_address();
        /// The port to listen on; 0 selects a free port.
        port: u16 = "8080", whole(0..=65_535);
        /// The URL at which clients reach the server, such as `https://accounts.example.com`. It is the default issuer
        /// of tokens. If empty, `http://host:port`.
        public_url: Option<String> = "", optional(http_url());
        /// The networks of trusted proxies, whose `X-Forwarded-For` header is used as the client address.
        trusted_proxies: Vec<IpNet> = "", networks();
        /// The web origins whose pages may call the server, such as `https://app.example.com`, `capacitor://localhost`
        /// or `chrome-extension://ID`, compared exactly. With `APP_ENV=dev`, all loopback origins are also allowed.
        cors_origins: Vec<String> = "", origins();
        /// The TLS certificate of the server and its chain, in PEM. If empty, the server uses plain HTTP. The files of
        /// these three keys are reloaded without a restart when they change.
        tls_cert_file: Option<PathBuf> = "", optional(path());
        /// The private key of the TLS certificate, in PEM.
        tls_key_file: Option<PathBuf> = "", optional(path());
        /// The certificate authorities for client certificates (mutual TLS), in PEM. If set, every client must present
        /// a certificate issued by one of them. A client certificate with the name `spiffe://…/service-account/{id}`
        /// authenticates that service account.
        tls_client_ca_file: Option<PathBuf> = "", optional(path());
        /// How long requests in progress may take to complete on shutdown, in seconds.
        shutdown_timeout_s: u32 = "8", whole(1..=300);
    }

    /// The product that the accounts are for.
    product: Product {
        /// The name of the product. Passwords derived from it are rejected.
        name: String = "Denizen", display_name();
        /// The URL of the page of the product on which users change their password, for password managers.
        change_password_url: Option<String> = "", optional(http_url());
    }

    /// The database.
    database: Database {
        /// The database URL: SQLite in a file, or PostgreSQL (`postgres://user:password@host/name`).
        url: String = "sqlite://data/denizen.db", database_url();
        /// `transaction` if a pooler in transaction mode is in front of PostgreSQL (PgBouncer); see docs/scaling.md.
        pooler_mode: PoolerMode = "session", pooler_mode();
        /// Whether statements on PostgreSQL are prepared once for each connection; see docs/scaling.md.
        prepared_statements: bool = "true", flag();
        /// The PostgreSQL URL for notifications and migrations, past a pooler in transaction mode; see docs/scaling.md.
        listen_url: Option<String> = "", optional(postgres_url());
        /// Maximum number of open connections.
        max_connections: u32 = "20", whole(1..=1_000);
        /// Minimum number of open connections.
        min_connections: u32 = "0", whole(0..=1_000);
        /// How long a request waits for a connection before it fails with 503, in seconds.
        acquire_timeout_s: u32 = "3", whole(1..=60);
        /// Statement timeout, in seconds. PostgreSQL only.
        statement_timeout_s: u32 = "10", whole(1..=600);
        /// Whether `denizen serve` applies pending migrations on start.
        migrate_on_start: bool = "true", flag();
    }

    /// Encryption of secrets and the cost of password hashes.
    security: Security {
        /// The master key, which encrypts the root key of all secrets in the database: 32 random bytes, for example
        /// from `openssl rand -base64 32`. If empty, the key is read from `security.master_key_file`.
        master_key: Option<SecretString> = "", optional(master_key());
        /// The file of the master key if `security.master_key` is not set; created on the first start.
        master_key_file: PathBuf = "data/master.key", path();
        /// A command that prints the master key, for example from a secret manager, if neither of the other two keys
        /// provides it.
        master_key_command: Option<SecretString> = "", optional(command());
        /// Memory per password hash (Argon2id m), in KiB. Outside `APP_ENV=dev` at least 19456.
        argon2_memory_kib: u32 = "19456", whole(8..=1_048_576);
        /// Passes per password hash (Argon2id t). Outside `APP_ENV=dev` at least 2.
        argon2_iterations: u32 = "2", whole(1..=20);
        /// Lanes per password hash (Argon2id p).
        argon2_parallelism: u32 = "1", whole(1..=16);
        /// Number of concurrent password hashes; 0 means one per core.
        hash_concurrency: u32 = "0", whole(0..=256);
        /// Maximum number of passwords that wait to be hashed; further requests fail with 503.
        hash_queue: u32 = "64", whole(1..=10_000);
        /// How long a password waits to be hashed before the request fails with 503, in milliseconds.
        hash_queue_timeout_ms: u32 = "2000", whole(1..=60_000);
        /// Minimum length of passwords, in characters.
        password_min_chars: u32 = "8", whole(8..=64);
    }

    /// Sign-up.
    signup: Signup {
        /// `open`: anyone can sign up. `closed`: only callers with `users:write` can create users.
        mode: SignupMode = "open", one_of(&[("open", SignupMode::Open), ("closed", SignupMode::Closed)]);
        /// Whether sign-up conceals that an address is taken: the response is 202 in both cases, and the mail
        /// contains either a verification link or a notice that an account exists. Users can sign in after their
        /// address is verified. Requires mail.
        conceal_existing: bool = "false", flag();
        /// Whether users can sign in only after their email address is verified. Requires mail.
        require_verified_email: bool = "false", flag();
        /// The domains whose email addresses can sign up, such as `example.com`, without their subdomains; all if empty.
        /// Administrators, invitations and imports are exempt.
        allowed_domains: Vec<EmailDomain> = "", email_domains();
    }

    /// Data of users.
    users: Users {
        /// The JSON Schema (draft 2020-12) of `attributes`, inline or in a file. Empty `attributes` are always valid.
        attributes_schema: Option<SchemaSource> = "", optional(schema());
        /// The JSON Schema of `app_attributes`.
        app_attributes_schema: Option<SchemaSource> = "", optional(schema());
        /// How many days a deleted user is kept, disabled, and can be restored; 0 deletes users at once.
        deletion_grace_days: u32 = "0", whole(0..=365);
    }

    /// Sign-in methods in addition to the password. Each requires mail.
    sign_in: SignIn {
        /// Whether users can sign in with a mailed code.
        mailed_codes: bool = "false", flag();
        /// Whether users can sign in with a mailed link (magic link).
        magic_links: bool = "false", flag();
        /// The URL of a legacy system that cannot export its password hashes: an `https:` URL that accepts a signed
        /// `POST`. It verifies the password of sign-ins with an unknown address or for a user without a password; after
        /// a success it is not called again for this user. If empty, no system is called.
        hook_url: Option<SecretString> = "", optional(secret_url());
        /// The secret that signs these requests: `whsec_` followed by 24 to 64 random bytes in base64 (Standard
        /// Webhooks).
        hook_secret: Option<SecretString> = "", optional(webhook_secret());
        /// Timeout of these requests, in milliseconds.
        hook_timeout_ms: u32 = "3000", whole(100..=10_000);
        /// Hosts of the legacy system that may resolve to private addresses; they do not require TLS.
        hook_allowed_hosts: Vec<String> = "", hosts();
        /// The URLs to which the browser may be sent after a sign-in at an outside provider, such as
        /// `https://app.example.com/signed-in`. Compared exactly, except for the query; loopback addresses may have any
        /// port.
        redirect_urls: Vec<Url> = "", redirect_urls();
        /// Hosts of outside providers that may resolve to private addresses; they do not require TLS.
        provider_allowed_hosts: Vec<String> = "", hosts();
        /// Certificate authorities for outside providers in addition to the public ones, in PEM.
        provider_ca_file: Option<PathBuf> = "", optional(path());
    }

    /// Passkeys (WebAuthn).
    webauthn: WebAuthn {
        /// The relying party id: the domain that passkeys are created for. Passkeys stop working when it changes. If
        /// empty, the host of `server.public_url`.
        rp_id: Option<String> = "", optional(domain());
        /// The origins whose pages may create and use passkeys, such as `https://app.example.com`. At least one of them
        /// has the relying party id, or a subdomain of it, as its host; browsers accept the others as related origins,
        /// with at most five different registrable domain labels. If empty, the origin of `server.public_url`.
        origins: Vec<String> = "", origins();
        /// Former relying party ids whose passkeys may stop working. The server does not start while users have passkeys of
        /// a relying party that is neither `rp_id` nor listed here.
        former_rp_ids: Vec<String> = "", domains();
        /// The URL of the page of the product on which users create a passkey, for password managers.
        enroll_url: Option<String> = "", optional(http_url());
        /// The URL of the page of the product on which users manage their passkeys, for password managers.
        manage_url: Option<String> = "", optional(http_url());
    }

    /// Session lifetimes.
    sessions: Sessions {
        /// Lifetime of an access token, in seconds (15 minutes).
        access_ttl_s: u32 = "900", whole(1..=86_400);
        /// Idle lifetime of a session, in seconds (14 days).
        idle_ttl_s: u32 = "1209600", whole(1..=31_536_000);
        /// Maximum lifetime of a session, in seconds (90 days).
        absolute_ttl_s: u32 = "7776000", whole(1..=157_680_000);
        /// Maximum number of sessions per user; when it is exceeded, the oldest session ends.
        per_user_max: u32 = "100", whole(1..=10_000);
        /// How long a repeated refresh token receives the same response, in seconds, for clients that lost the
        /// response. With 0, reusing a refresh token always ends the session.
        refresh_grace_s: u32 = "10", whole(0..=300);
    }

    /// Access tokens.
    tokens: Tokens {
        /// The claim `iss`. If empty, the public URL.
        issuer: Option<String> = "", optional(http_url());
        /// The claim `aud`.
        audience: String = "denizen", text();
        /// Attributes of users that access tokens contain as claims, each as `CLAIM=app_attributes.NAME`; see
        /// docs/attributes.md. Users can change claims from `attributes` themselves.
        claims: Vec<AttributeClaim> = "", attribute_claims();
        /// The algorithm that signs access tokens. `HS256` is for a single resource server that shares the secret; it
        /// publishes no keys.
        algorithm: Algorithm = "ES256", one_of(&[
            ("ES256", Algorithm::Es256),
            ("EdDSA", Algorithm::EdDsa),
            ("RS256", Algorithm::Rs256),
            ("HS256", Algorithm::Hs256),
        ]);
        /// The secret for `HS256`; other algorithms do not use it.
        hs256_secret: Option<SecretString> = "", optional(hs256_secret());
        /// How long a signing key signs before it is rotated, in days; 0 disables rotation.
        key_rotation_days: u32 = "90", whole(0..=3_650);
        /// How long a signing key is published before it signs, in seconds. Must exceed the 5 minutes that clients may
        /// cache the JWK Set.
        key_lead_s: u32 = "600", whole(360..=604_800);
    }

    /// Outgoing mail. Without a mail server or folder, no mail is sent, and users cannot reset their passwords.
    mail: Mail {
        /// The host of the mail server.
        smtp_host: Option<String> = "", optional(text());
        /// The port of the mail server; 0 means the default: 587 with `starttls`, 465 with `tls`, 25 with `none`.
        smtp_port: u16 = "0", whole(0..=65_535);
        /// Encryption of the connection to the mail server. `starttls`: required upgrade to TLS after connecting.
        /// `tls`: TLS from the start. `none`: no encryption, for a server on the same machine or in a trusted network.
        smtp_tls: Encryption = "starttls", one_of(&[
            ("starttls", Encryption::StartTls),
            ("tls", Encryption::Tls),
            ("none", Encryption::None),
        ]);
        /// The user for authentication to the mail server. If empty, the client does not authenticate.
        smtp_user: Option<String> = "", optional(text());
        /// The password of that user.
        smtp_password: Option<SecretString> = "", optional(password());
        /// A file of additional trusted certificates for the mail server, in PEM.
        smtp_ca_file: Option<PathBuf> = "", optional(path());
        /// Timeout for the delivery of a mail, in seconds.
        smtp_timeout_s: u32 = "20", whole(1..=60);
        /// Maximum random delay, in milliseconds, of mails that anyone can request for an address (password reset,
        /// verification, sign-in link or code, new address). The outbox is then polled every second. The delay prevents
        /// the timing of the next request from revealing whether an account has the address; 0 disables it.
        request_delay_ms: u32 = "1000", whole(0..=5_000);
        /// The sender of mails, such as `Example <no-reply@example.com>`. Required with a mail server.
        from: Option<Sender> = "", optional(mailbox());
        /// A folder that mails are written to, one file each, instead of a mail server. With `APP_ENV=dev` and no mail
        /// server, the default is `data/mail`, and the log contains the links and codes.
        folder: Option<PathBuf> = "", optional(folder_path());
        /// The base URL of links in mails, if the product has its own pages, such as `https://app.example.com`. If
        /// empty, `server.public_url` and the built-in pages.
        link_base: Option<String> = "", optional(http_url());
        /// A folder with templates and messages that replace the built-in ones; see docs/mail.md.
        templates: Option<PathBuf> = "", optional(folder_path());
        /// The language of mails for users whose preferred language is not available.
        default_locale: Locale = "en", locale();
    }

    /// The event log.
    events: Events {
        /// How long events are retained, in days; 0 means forever. Consumers with an older cursor must start again
        /// without a cursor.
        retention_days: u32 = "90", whole(0..=36_500);
        /// When personal data of a deleted user is erased from the event log, in days after the deletion; 0 means never.
        pseudonymize_after_days: u32 = "30", whole(0..=36_500);
        /// Number of events buffered in memory for event streams (WebSocket, SSE, gRPC).
        queue: u32 = "4096", whole(64..=65_536);
        /// How long a stream may lag behind this buffer before it is closed, in seconds. The client can resume from its
        /// cursor.
        lag_s: u32 = "5", whole(1..=300);
        /// Heartbeat interval of idle event streams, in seconds.
        heartbeat_s: u32 = "15", whole(1..=300);
        /// Maximum number of event streams per node. One client address can use three quarters of them.
        followers: u32 = "15000", whole(1..=1_000_000);
        /// Maximum number of event streams per account.
        followers_per_account: u32 = "1000", whole(1..=1_000_000);
    }

    /// Signed heads of the audit log, to be stored outside the database; see docs/audit.md.
    audit: Audit {
        /// How often the signed head is exported if the log has grown, in seconds; 0 disables the export. It is written
        /// to the server log with the target `audit`.
        head_interval_s: u32 = "3600", whole(0..=86_400);
        /// A file that exported heads are also appended to, one per line.
        head_file: Option<PathBuf> = "", optional(path());
    }

    /// Files that describe roles, service accounts, webhooks and providers; see docs/declarative-configuration.md.
    apply: Apply {
        /// The files and folders that the database is compared with. They are not applied: run `denizen apply`.
        files: Vec<PathBuf> = "", paths();
        /// How often they are compared, in minutes; 0 disables the comparison. The event `configuration.drifted` reports
        /// differences.
        check_interval_min: u32 = "0", whole(0..=10_080);
    }

    /// Webhook deliveries.
    webhooks: Webhooks {
        /// Webhook hosts that may resolve to private addresses; they do not require TLS.
        allowed_hosts: Vec<String> = "", hosts();
        /// Timeout of a webhook request, in seconds.
        timeout_s: u32 = "10", whole(1..=30);
        /// Maximum delay before the second attempt, in milliseconds; it doubles with each further attempt, up to one
        /// hour. After five consecutive failures, deliveries to the webhook are paused for six times this delay; the
        /// pause doubles, up to 10 minutes.
        retry_first_ms: u32 = "5000", whole(10..=600_000);
        /// How long a delivery is retried before it is parked, in seconds (one day).
        retry_for_s: u32 = "86400", whole(1..=604_800);
    }
}
