//! Every key there is: its place, type, default, rule and description. Nothing else lists them.

use std::net::IpAddr;
use std::path::PathBuf;

use denizen_domain::ctx::SignupMode;
use denizen_domain::keys::Algorithm;
use denizen_domain::users::Locale;
use denizen_infra::mail::{Encryption, Sender};
use secrecy::SecretString;

use super::AppEnv;
use super::layers::Layers;
use super::net::IpNet;
use super::rule::{
    LogFormat, Rule, command, database_url, display_name, flag, folder_path, hosts, hs256_secret, http_url, ip_address,
    locale, log_filter, mailbox, master_key, networks, one_of, optional, origins, password, path, secret_url, text,
    webhook_secret, whole,
};

/// The names of the sections, in the order of the table.
pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    let sections = NAMES.iter().filter_map(|name| name.split_once('.')).map(|(section, _)| section);
    sections.filter(move |&section| std::mem::replace(&mut last, section) != section)
}

/// One key of the table, for the documents and the messages.
pub(super) struct Key {
    /// The section and what it is about.
    pub(super) section: (&'static str, &'static str),
    /// The whole key, `server.port` for example.
    pub(super) name: &'static str,
    /// What the key does.
    pub(super) doc: &'static str,
    /// The default as it is written in the environment; empty for none.
    pub(super) default: &'static str,
    /// The default as it is written in TOML.
    pub(super) default_toml: String,
    /// What a value must be.
    pub(super) expected: String,
}

macro_rules! table {
    ($($(#[doc = $section_doc:literal])+ $section:ident: $Section:ident {
        $($(#[doc = $doc:literal])+ $field:ident: $Type:ty = $default:literal, $rule:expr;)+
    })+) => {
        /// The merged configuration.
        #[derive(Clone)]
        pub struct Config {
            /// Which environment it is for.
            pub app_env: AppEnv,
            $($(#[doc = $section_doc])+ pub $section: $Section,)+
        }

        impl Config {
            /// Reads every key. `None` when a mistake was noted.
            pub(super) fn read(layers: &mut Layers) -> Option<Self> {
                $(let $section = $Section::read(layers);)+
                Some(Self { app_env: layers.app_env.clone(), $($section: $section?,)+ })
            }
        }

        $(
            $(#[doc = $section_doc])+
            #[derive(Clone)]
            pub struct $Section {
                $($(#[doc = $doc])+ pub $field: $Type,)+
            }

            impl $Section {
                fn read(layers: &mut Layers) -> Option<Self> {
                    $(
                        let rule: Rule<$Type> = $rule;
                        let $field = layers.read(concat!(stringify!($section), ".", stringify!($field)), $default, &rule);
                    )+
                    Some(Self { $($field: $field?,)+ })
                }

                fn keys() -> Vec<Key> {
                    let section = (stringify!($section), concat!($($section_doc, "\n"),+));
                    vec![$({
                        let rule: Rule<$Type> = $rule;
                        Key {
                            section,
                            name: concat!(stringify!($section), ".", stringify!($field)),
                            doc: concat!($($doc, "\n"),+),
                            default: $default,
                            default_toml: rule.toml($default),
                            expected: rule.expected,
                        }
                    }),+]
                }
            }
        )+

        /// Every key, in the order of the table.
        pub(super) fn keys() -> Vec<Key> {
            [$($Section::keys()),+].into_iter().flatten().collect()
        }

        /// The names alone, in the order of the table.
        pub(super) const NAMES: &[&str] = &[$($(concat!(stringify!($section), ".", stringify!($field)),)+)+];
    };
}

table! {
    /// How the server is reached.
    server: Server {
        /// The address to listen on. `0.0.0.0` listens on every IPv4 address, `::` on every one.
        host: IpAddr = "127.0.0.1", ip_address();
        /// The port to listen on; 0 picks a free one.
        port: u16 = "8080", whole(0..=65_535);
        /// The address at which clients reach the server, `https://accounts.example.com` for example.
        /// The issuer of tokens is made of it. Nothing means `http://host:port`.
        public_url: Option<String> = "", optional(http_url());
        /// The networks of the proxies whose `X-Forwarded-For` header is believed.
        trusted_proxies: Vec<IpNet> = "", networks();
        /// The web origins whose pages may call the server: `https://app.example.com`, `capacitor://localhost` or
        /// `chrome-extension://ID` for example, each compared exactly, without wildcards. None by default; with
        /// `APP_ENV=dev` every loopback origin may call as well.
        cors_origins: Vec<String> = "", origins();
        /// The certificate to serve TLS with, and those that vouch for it, in PEM. Nothing means plain text. What is in
        /// the files of these three keys is taken over when it changes, without a restart.
        tls_cert_file: Option<PathBuf> = "", optional(path());
        /// The private key of the certificate, in PEM.
        tls_key_file: Option<PathBuf> = "", optional(path());
        /// The authorities, in PEM, one of which must have issued the certificate that every client must show (mutual
        /// TLS). One that names `spiffe://…/service-account/{id}` is that service account's credential.
        tls_client_ca_file: Option<PathBuf> = "", optional(path());
        /// How long requests in flight may take to finish when the server stops, in seconds.
        shutdown_timeout_s: u32 = "8", whole(1..=300);
    }

    /// What the server keeps accounts for.
    product: Product {
        /// What the product is called. Nobody can choose a password that is made of it.
        name: String = "Denizen", display_name();
    }

    /// Where accounts are kept.
    database: Database {
        /// The database: SQLite in a file, or PostgreSQL (`postgres://user:password@host/name`).
        url: String = "sqlite://data/denizen.db", database_url();
        /// The most connections to hold open.
        max_connections: u32 = "20", whole(1..=1_000);
        /// The fewest connections to hold open.
        min_connections: u32 = "0", whole(0..=1_000);
        /// How long a request waits for a connection before it is answered 503, in seconds.
        acquire_timeout_s: u32 = "3", whole(1..=60);
        /// How long one statement may run, in seconds. PostgreSQL only.
        statement_timeout_s: u32 = "10", whole(1..=600);
        /// Whether `denizen serve` applies pending migrations before it listens.
        migrate_on_start: bool = "true", flag();
    }

    /// Secrets, and what guessing them costs.
    security: Security {
        /// The key that everything secret in the database is encrypted under, by way of a root key: 32 random bytes, made by
        /// `openssl rand -base64 32`. Nothing means that it is kept in `security.master_key_file`.
        master_key: Option<SecretString> = "", optional(master_key());
        /// The file that keeps the master key when `security.master_key` is not set; made on the first start.
        master_key_file: PathBuf = "data/master.key", path();
        /// A command that prints the master key, of a secret manager for example, when it is in neither of the two.
        master_key_command: Option<SecretString> = "", optional(command());
        /// The memory of one password hash (Argon2id m), in KiB. Outside `APP_ENV=dev` at least 19456.
        argon2_memory_kib: u32 = "19456", whole(8..=1_048_576);
        /// The passes of one password hash (Argon2id t). Outside `APP_ENV=dev` at least 2.
        argon2_iterations: u32 = "2", whole(1..=20);
        /// The lanes of one password hash (Argon2id p).
        argon2_parallelism: u32 = "1", whole(1..=16);
        /// How many passwords are hashed at once; 0 means one for each core.
        hash_concurrency: u32 = "0", whole(0..=256);
        /// How many passwords may wait to be hashed; beyond that the answer is 503.
        hash_queue: u32 = "64", whole(1..=10_000);
        /// How long a password may wait to be hashed before the answer is 503, in milliseconds.
        hash_queue_timeout_ms: u32 = "2000", whole(1..=60_000);
        /// The shortest password that can be chosen, in characters.
        password_min_chars: u32 = "8", whole(8..=64);
    }

    /// Who may create an account.
    signup: Signup {
        /// `open`: anybody. `closed`: only those who may write users.
        mode: SignupMode = "open", one_of(&[("open", SignupMode::Open), ("closed", SignupMode::Closed)]);
        /// Whether sign-up answers 202 alike for taken and free addresses, and mails either a link that verifies the address
        /// or that there is an account already. Accounts can be signed in to once their address is verified. Needs mail.
        conceal_existing: bool = "false", flag();
    }

    /// Ways to sign in besides the password. Each needs mail.
    sign_in: SignIn {
        /// Whether a code that is mailed signs in.
        mailed_codes: bool = "false", flag();
        /// Whether a link that is mailed signs in.
        magic_links: bool = "false", flag();
        /// Where the product's old system is asked, once, about somebody who has no password here, when it cannot export its
        /// hashes: an `https:` address that takes a signed `POST`. Nothing means that nobody is asked.
        hook_url: Option<SecretString> = "", optional(secret_url());
        /// What those requests are signed with: `whsec_` and the base64 of 24 to 64 random bytes (Standard Webhooks).
        hook_secret: Option<SecretString> = "", optional(webhook_secret());
        /// How long the old system may take, in milliseconds.
        hook_timeout_ms: u32 = "3000", whole(100..=10_000);
        /// Hosts that the old system may have in the private network; they need no TLS.
        hook_allowed_hosts: Vec<String> = "", hosts();
    }

    /// How long a sign-in lasts.
    sessions: Sessions {
        /// How long an access token lives, in seconds (15 minutes).
        access_ttl_s: u32 = "900", whole(1..=86_400);
        /// How long a session lives unused, in seconds (14 days).
        idle_ttl_s: u32 = "1209600", whole(1..=31_536_000);
        /// How long a session lives at most, in seconds (90 days).
        absolute_ttl_s: u32 = "7776000", whole(1..=157_680_000);
        /// How many sessions one user may have at once; when another one is opened, the oldest ends.
        per_user_max: u32 = "100", whole(1..=10_000);
        /// How long the same refresh token gets the same answer again, in seconds, for clients that lost it; 0
        /// is strict: a token used twice ends the session.
        refresh_grace_s: u32 = "10", whole(0..=300);
    }

    /// What access tokens say.
    tokens: Tokens {
        /// The claim `iss`. Nothing means the public URL.
        issuer: Option<String> = "", optional(http_url());
        /// The claim `aud`.
        audience: String = "denizen", text();
        /// The algorithm that signs access tokens.
        /// `HS256` is for a single backend that holds the secret too: it publishes no keys.
        algorithm: Algorithm = "ES256", one_of(&[
            ("ES256", Algorithm::Es256),
            ("EdDSA", Algorithm::EdDsa),
            ("RS256", Algorithm::Rs256),
            ("HS256", Algorithm::Hs256),
        ]);
        /// The secret that `HS256` signs with; no other algorithm needs it.
        hs256_secret: Option<SecretString> = "", optional(hs256_secret());
        /// How long a signing key signs before the next one takes over, in days; 0 is for ever.
        key_rotation_days: u32 = "90", whole(0..=3_650);
        /// How long a signing key is published before it signs, in seconds: more than
        /// the 5 minutes that caches may keep the JWK Set.
        key_lead_s: u32 = "600", whole(360..=604_800);
    }

    /// How mail is sent. Without a mail server and without a folder none is: nobody can reset a password.
    mail: Mail {
        /// The mail server.
        smtp_host: Option<String> = "", optional(text());
        /// The port of the mail server; 0 means the usual one: 587 with `starttls`, 465 with `tls`, 25 with `none`.
        smtp_port: u16 = "0", whole(0..=65_535);
        /// How the way to the mail server is protected. `starttls`: by TLS once connected, or not at all used.
        /// `tls`: by TLS from the start. `none` is for a server on this machine or in a network that nobody else is in.
        smtp_tls: Encryption = "starttls", one_of(&[
            ("starttls", Encryption::StartTls),
            ("tls", Encryption::Tls),
            ("none", Encryption::None),
        ]);
        /// The user that signs in to the mail server. Nothing means that it asks nobody.
        smtp_user: Option<String> = "", optional(text());
        /// The password of that user.
        smtp_password: Option<SecretString> = "", optional(password());
        /// A file of certificates (PEM) that a mail server may be known by besides the public ones.
        smtp_ca_file: Option<PathBuf> = "", optional(path());
        /// How long the delivery of one mail may take, in seconds.
        smtp_timeout_s: u32 = "20", whole(1..=60);
        /// How long a mail that anybody can ask for by an address (a reset, a verification, a link or code that signs in, a
        /// new address) waits before it is looked into, in milliseconds at most; the outbox is then looked into each second.
        /// The wait keeps the time of the next request from telling whether the address has an account; 0 gives that up.
        request_delay_ms: u32 = "1000", whole(0..=5_000);
        /// From whom mails are, `Example <no-reply@example.com>` for example. A mail server needs it.
        from: Option<Sender> = "", optional(mailbox());
        /// The folder that mails are written to, a file each, in place of a mail server. With `APP_ENV=dev` and no mail
        /// server it is `data/mail`, and the log shows the links and the codes.
        folder: Option<PathBuf> = "", optional(folder_path());
        /// What links in mails begin with when their pages are the product's own, `https://app.example.com` for
        /// example. Nothing means `server.public_url`, where Denizen has a page for each.
        link_base: Option<String> = "", optional(http_url());
        /// A folder of templates and messages in place of the ones that are built in; see docs/mail.md.
        templates: Option<PathBuf> = "", optional(folder_path());
        /// The language of mails to those who read none that there is.
        default_locale: Locale = "en", locale();
    }

    /// The log of what happened.
    events: Events {
        /// How long events are kept, in days; 0 is for ever. Followers whose cursor is older have to begin anew.
        retention_days: u32 = "90", whole(0..=36_500);
        /// How many events are held in memory for followers (WebSocket, SSE, gRPC).
        queue: u32 = "4096", whole(64..=65_536);
        /// How long a follower may lag behind by more than that before it is cut off, to go on from its cursor, in seconds.
        lag_s: u32 = "5", whole(1..=300);
        /// How often a follower that hears nothing is told so, in seconds.
        heartbeat_s: u32 = "15", whole(1..=300);
        /// How many may follow events on one node at once; one client address may have three quarters of them.
        followers: u32 = "15000", whole(1..=1_000_000);
        /// How many of them may be of one account.
        followers_per_account: u32 = "1000", whole(1..=1_000_000);
    }

    /// Signed heads of the audit log, to be kept where the database cannot be written from: see docs/audit.md.
    audit: Audit {
        /// How often the signed head of the log is exported when the log has grown, in seconds; 0 is never. It is written to
        /// the server's log, target `audit`.
        head_interval_s: u32 = "3600", whole(0..=86_400);
        /// A file that each exported head is added to as well, a line each.
        head_file: Option<PathBuf> = "", optional(path());
    }

    /// How webhooks are told what happens.
    webhooks: Webhooks {
        /// Hosts that webhooks may have in the private network; they need no TLS.
        allowed_hosts: Vec<String> = "", hosts();
        /// How long a webhook may take to answer, in seconds.
        timeout_s: u32 = "10", whole(1..=30);
        /// How long the second attempt waits at most, in milliseconds; each further one waits twice as long, up to an hour.
        /// A webhook that fails five times in a row is left alone for six times as long, then twice that, up to 10 minutes.
        retry_first_ms: u32 = "5000", whole(10..=600_000);
        /// How long a delivery is tried before it is parked, in seconds (a day).
        retry_for_s: u32 = "86400", whole(1..=604_800);
    }

    /// What one client, and all of them, may ask of the server.
    limits: Limits {
        /// The largest request body, in bytes. Imports are bounded per line instead.
        body_bytes: u32 = "1048576", whole(1_024..=104_857_600);
        /// The largest request head, in bytes.
        header_bytes: u32 = "16384", whole(8_192..=1_048_576);
        /// How long a request may take, in seconds.
        request_timeout_s: u32 = "30", whole(1..=600);
        /// How many requests are worked on at once; beyond that the answer is 503. A request counts once its body is there.
        concurrent_requests: u32 = "1024", whole(1..=100_000);
        /// How many requests of one client address (IPv6: one /64) may be under way at once, from the head to the last byte
        /// of the response; beyond that the answer is 429. 0 means half of `limits.concurrent_requests`, and at least 16.
        address_requests: u32 = "0", whole(0..=1_000_000);
        /// How many requests one address may make each second; 0 means any number.
        address_per_second: u32 = "1000", whole(0..=1_000_000);
        /// How many requests one address may make at once before the rate applies.
        address_burst: u32 = "2000", whole(1..=1_000_000);
        /// How many guesses at one account's password may fail before further ones have to wait; those at its second
        /// factor, and those from a device it has signed in on, are counted apart.
        failures_free: u32 = "10", whole(1..=100_000);
        /// How long the first wait is, in seconds; each further failure doubles it.
        failures_delay_s: u32 = "10", whole(1..=86_400);
        /// How long such a wait is at most, in seconds (15 minutes).
        failures_delay_max_s: u32 = "900", whole(1..=86_400);
        /// How long after the last failure, or the end of its wait, all of them are forgotten, in seconds (1 hour).
        failures_forgotten_s: u32 = "3600", whole(1..=2_592_000);
        /// How many guesses from one client address (IPv6: one /64) may fail, at whichever accounts, before further ones
        /// have to wait; 0 means any number. Devices that the user has signed in on do not wait.
        address_failures_free: u32 = "200", whole(0..=1_000_000);
        /// How many messages one email address is sent each hour.
        mails_per_hour: u32 = "10", whole(1..=10_000);
        /// How many messages one client may ask for each hour, to whomever.
        mail_requests_per_hour: u32 = "1000", whole(1..=1_000_000);
        /// How many accounts one client may create each hour that are sent a verification mail.
        sign_up_mails_per_hour: u32 = "1000", whole(1..=1_000_000);
        /// How many messages one account may cause each hour; a caller with `users:write` may cause 50 times as many.
        account_mails_per_hour: u32 = "20", whole(1..=1_000_000);
        /// How large the `attributes` are in all with which one client may create accounts each hour, in KiB (16 MiB).
        sign_up_attributes_kib_per_hour: u32 = "16384", whole(1..=1_073_741_824);
        /// How many changes one account may make each minute, and twice as many at once; its sign-ins and its password
        /// changes are counted apart, each by the same number. A caller with a write permission may make 1,000 times as
        /// many. Counted on each node; 0 means any number.
        account_writes_per_minute: u32 = "30", whole(0..=1_000_000);
        /// The longest line of an import, in bytes.
        import_line_bytes: u32 = "65536", whole(1_024..=1_048_576);
        /// How many connections are open at once, and at most what the limit of open files allows. A new one beyond that closes
        /// one that waits for a request; where there is none, only health checks are answered on it.
        connections: u32 = "20000", whole(1..=1_000_000);
        /// How many connections one peer address (IPv6: one /64) may have open at once; addresses in
        /// `server.trusted_proxies` may have all. 0 means a quarter of `limits.connections`.
        address_connections: u32 = "0", whole(0..=1_000_000);
        /// How long a client may take to send the head of a request, in seconds, and the body beyond 1 KiB a second.
        header_timeout_s: u32 = "10", whole(1..=120);
    }

    /// What the server tells about itself.
    telemetry: Telemetry {
        /// How log lines are written: `text` for people, `json` for machines.
        log_format: LogFormat = "text", one_of(&[("text", LogFormat::Text), ("json", LogFormat::Json)]);
        /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`), and levels for single modules.
        log_filter: String = "info", log_filter();
    }
}
