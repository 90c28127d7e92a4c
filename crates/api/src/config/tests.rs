mod review;

use std::fs;

use super::{Config, ConfigErrors, Loaded, Overrides, Sources, default_toml, env_example};
use secrecy::ExposeSecret;

const STRONG_KEY: &str = "fbefbe3f0a9cd17e6624b85d8ff04c11927aa3c85e016bd4f73920ee81b6457d";

/// A directory of its own with the given files, and layers that look nowhere else.
struct Place {
    dir: tempfile::TempDir,
    sources: Sources,
    flags: Overrides,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sources = Sources { dir: dir.path().to_owned(), config_dir: None, env_file: None, env: [].into() };
        Self { dir, sources, flags: Overrides::default() }
    }

    fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.sources.env.insert(name.into(), value.into());
        self
    }

    fn flag(mut self, key: &str, value: &str, flag: &str) -> Self {
        self.flags.push(key, value, flag);
        self
    }

    fn load(&self) -> Result<Loaded, ConfigErrors> {
        Config::from_sources(&self.sources, &self.flags)
    }

    fn lines(&self) -> Vec<String> {
        self.load().unwrap_err().to_string().lines().map(str::to_owned).collect()
    }
}

fn source(loaded: &Loaded, key: &str) -> String {
    loaded.entries.iter().find(|entry| entry.key == key).unwrap().source.to_string()
}

fn shown(loaded: &Loaded, key: &str) -> String {
    loaded.entries.iter().find(|entry| entry.key == key).unwrap().shown_value.clone()
}

#[test]
fn without_any_layer_there_are_defaults() {
    let loaded = Place::new().load().unwrap();
    assert_eq!(loaded.config.server.port, 8080);
    assert_eq!(loaded.config.server.public_url(), "http://127.0.0.1:8080");
    assert_eq!(loaded.config.database.url, "sqlite://data/denizen.db");
    assert!(loaded.config.security.master_key.is_none());
    assert!(loaded.entries.iter().all(|entry| entry.source == super::Source::BuiltIn));
    assert_eq!(loaded.entries.len(), super::table::NAMES.len());
    assert!(!loaded.app_env.is_dev());
}

#[test]
fn a_later_layer_wins() {
    let steps: [(&str, u16); 5] = [
        ("config/default.toml", 1001),
        ("config/prod.toml", 1002),
        (".env", 1003),
        ("environment DENIZEN__SERVER__PORT", 1004),
        ("flag --port", 1005),
    ];
    let mut place = Place::new().file("config/dev.toml", "server.port = 9");
    for (layer, port) in steps {
        let toml = format!("[server]\nport = {port}\n");
        place = match layer {
            ".env" => place.file(layer, format!("DENIZEN__SERVER__PORT={port} # a remark\n")),
            "flag --port" => place.flag("server.port", &port.to_string(), "--port"),
            toml_file if toml_file.starts_with("config/") => place.file(toml_file, toml),
            _ => place.env("DENIZEN__SERVER__PORT", &port.to_string()),
        };
        let loaded = place.load().unwrap();
        assert_eq!((loaded.config.server.port, source(&loaded, "server.port")), (port, layer.to_owned()));
    }
}

#[test]
fn app_env_chooses_the_overlay() {
    let place = || {
        Place::new()
            .file("config/dev.toml", "server.port = 1")
            .file("config/prod.toml", "server.port = 2")
            .file("config/stage.toml", "server.port = 3")
    };
    assert_eq!(place().load().unwrap().config.server.port, 2);
    assert_eq!(place().env("APP_ENV", "").load().unwrap().config.server.port, 2);
    assert_eq!(place().file(".env", "APP_ENV=dev").load().unwrap().config.server.port, 1);
    assert_eq!(place().file(".env", "APP_ENV=dev").env("APP_ENV", "stage").load().unwrap().config.server.port, 3);
    assert_eq!(Place::new().env("APP_ENV", "dev").load().unwrap().config.server.port, 8080);
}

#[test]
fn every_sort_of_value_is_read_from_every_sort_of_layer() {
    let toml = r#"
        [server]
        trusted_proxies = ["10.0.0.0/8", "::1"]
        cors_origins = ["https://app.example.com", "http://localhost:3000"]
        [database]
        migrate_on_start = false
        [telemetry]
        log_format = "json"
    "#;
    let env = Place::new()
        .env("DENIZEN__SERVER__TRUSTED_PROXIES", "10.0.0.0/8, ::1")
        .env("DENIZEN__SERVER__CORS_ORIGINS", "https://app.example.com,http://localhost:3000")
        .env("DENIZEN__DATABASE__MIGRATE_ON_START", "false")
        .env("DENIZEN__TELEMETRY__LOG_FORMAT", "json");
    for place in [Place::new().file("config/default.toml", toml), env] {
        let config = place.load().unwrap().config;
        assert_eq!(config.server.trusted_proxies.len(), 2);
        assert_eq!(config.server.cors_origins, ["https://app.example.com", "http://localhost:3000"]);
        assert!(!config.database.migrate_on_start);
        assert_eq!(config.telemetry.log_format, super::LogFormat::Json);
    }
    let emptied = Place::new()
        .file(
            "config/default.toml",
            "server.public_url = \"https://a.example\"\nserver.cors_origins = [\"https://b.example\"]",
        )
        .env("DENIZEN__SERVER__PUBLIC_URL", "")
        .env("DENIZEN__SERVER__CORS_ORIGINS", "");
    let server = emptied.load().unwrap().config.server;
    assert_eq!((server.public_url, server.cors_origins.len()), (None, 0));
}

#[test]
fn a_malformed_value_names_key_source_and_expectation() {
    let check = |place: Place, expected: &str| assert_eq!(place.lines(), [expected]);
    let port = "expected a whole number from 0 to 65535";
    check(
        Place::new().file("config/default.toml", "server.port = \"8080\""),
        &format!("server.port from config/default.toml is \"8080\"; {port}, without quotes"),
    );
    check(
        Place::new().file("config/default.toml", "server.port = -1"),
        &format!("server.port from config/default.toml is -1; {port}"),
    );
    check(
        Place::new().file("config/prod.toml", "server.port.x = 1"),
        &format!("server.port from config/prod.toml is a table; {port}"),
    );
    check(
        Place::new().env("DENIZEN__SERVER__PORT", "65536"),
        &format!("server.port from environment DENIZEN__SERVER__PORT is \"65536\"; {port}"),
    );
    check(Place::new().file(".env", "DENIZEN__SERVER__PORT=\n"), &format!("server.port from .env is \"\"; {port}"));
    check(
        Place::new().flag("server.port", "1\n2", "--port"),
        &format!("server.port from flag --port is \"1\\n2\"; {port}"),
    );
    check(
        Place::new().env("DENIZEN__SIGNUP__MODE", "opened"),
        "signup.mode from environment DENIZEN__SIGNUP__MODE is \"opened\"; expected open or closed",
    );
    check(
        Place::new().file("config/default.toml", "server = 1"),
        "server from config/default.toml is a number; expected a section, [server]",
    );
}

#[test]
fn values_out_of_their_form_are_refused() {
    let refused = [
        ("SERVER__HOST", "localhost"),
        ("SERVER__PUBLIC_URL", "https://a.example/"),
        ("SERVER__PUBLIC_URL", "ftp://a.example"),
        ("SERVER__PUBLIC_URL", "https://user@a.example"),
        ("SERVER__PUBLIC_URL", "a.example"),
        ("SERVER__TRUSTED_PROXIES", "10.0.0.0/8,"),
        ("SERVER__CORS_ORIGINS", "https://a.example/path"),
        ("SERVER__CORS_ORIGINS", "*"),
        ("DATABASE__URL", "mysql://a/b"),
        ("DATABASE__URL", "sqlite://"),
        ("DATABASE__MIGRATE_ON_START", "yes"),
        ("LIMITS__BODY_BYTES", "+5000"),
        ("LIMITS__BODY_BYTES", "99999999999999999999"),
        ("TOKENS__AUDIENCE", "two words"),
        ("TELEMETRY__LOG_FILTER", "denizen=loud"),
        ("SECURITY__MASTER_KEY_FILE", ""),
    ];
    for (name, value) in refused {
        let place = Place::new().env(&format!("DENIZEN__{name}"), value);
        assert_eq!(place.lines().len(), 1, "{name}={value}");
    }
}

#[test]
fn an_unknown_key_is_refused_and_the_nearest_suggested() {
    let check = |place: Place, expected: &str| assert_eq!(place.lines(), [expected]);
    check(
        Place::new().file("config/default.toml", "[server]\nprot = 1"),
        "server.prot from config/default.toml is not a known key; did you mean server.port?",
    );
    check(
        Place::new().env("DENIZEN__SERVER_PORT", "1"),
        "DENIZEN__SERVER_PORT from the environment is not a known key; did you mean DENIZEN__SERVER__PORT?",
    );
    check(
        Place::new().file(".env", "DENIZEN_SERVER_PORT=1"),
        "DENIZEN_SERVER_PORT from .env is not a known key; did you mean DENIZEN__SERVER__PORT?",
    );
    check(
        Place::new().flag("signup.nonsense", "1", "--set"),
        "signup.nonsense from flag --set is not a known key; expected one of signup.mode, signup.conceal_existing, \
         signup.require_verified_email, signup.allowed_domains",
    );
    check(
        Place::new().file("config/default.toml", "[elsewhere]"),
        "elsewhere from config/default.toml is not a known key; expected a key in one of the sections \
         server, product, database, security, signup, users, sign_in, webauthn, sessions, tokens, mail, events, audit, \
         backups, apply, webhooks, limits, metrics, telemetry",
    );
}

#[test]
fn variables_of_others_are_left_alone() {
    // Kubernetes sets DENIZEN_PORT for a service named denizen; compose keeps its own variables in .env.
    let place =
        Place::new().env("DENIZEN_PORT", "tcp://10.0.0.1:80").file(".env", "POSTGRES_PASSWORD=x\nDATABASE_URL=y\n");
    place.load().unwrap();
}

#[test]
fn every_mistake_is_told_at_once() {
    let place = Place::new()
        .file("config/default.toml", "server.port = 1.5\nserver.hots = \"x\"")
        .file("config/prod.toml", "limits.body_bytes = true")
        .env("DENIZEN__SERVER__PORT", "8081")
        .env("DENIZEN__SERVER__HOST", "x");
    assert_eq!(place.lines().len(), 4, "{:?}", place.lines());
}

#[test]
fn an_unreadable_file_is_one_line_without_its_content() {
    let secret = "hunter2hunter2";
    let places = [
        (
            Place::new().file("config/default.toml", format!("[server]\nkey = {secret}\n")),
            "config/default.toml is not valid TOML: line 2",
        ),
        (
            Place::new().file("config/default.toml", format!("x = \"{secret}\nport = 1")),
            "config/default.toml is not valid TOML: line 1",
        ),
        (Place::new().file("config/default.toml", b"\xFF\xFE"), "config/default.toml is not readable"),
        (Place::new().file("config/default.toml/x", ""), "config/default.toml is not readable"),
        (
            Place::new().file(".env", format!("# fine\nDENIZEN__SERVER__PORT=1\nA=it is {secret}\n")),
            ".env line 3 is not valid",
        ),
        (Place::new().file(".env", format!("A='{secret}\n")), ".env line 1 is not valid"),
    ];
    for (place, start) in places {
        let lines = place.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].starts_with(start) && lines[0].contains("expected") && !lines[0].contains(secret),
            "{lines:?}"
        );
    }
}

#[test]
fn an_environment_that_is_not_there_is_refused() {
    for name in ["stagign", "../../etc", "default", "Dev"] {
        let lines = Place::new().env("APP_ENV", name).lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with(&format!("APP_ENV from environment APP_ENV is {name:?}; expected")), "{lines:?}");
    }
    let mut place = Place::new();
    place.sources.config_dir = Some("nowhere".into());
    assert_eq!(place.lines(), ["--config-dir nowhere does not exist; expected a directory with default.toml"]);
}

#[test]
fn another_directory_of_files_can_be_named() {
    let mut place =
        Place::new().file("etc/default.toml", "server.port = 7").file("config/default.toml", "server.port = 8");
    place.sources.config_dir = Some("etc".into());
    let loaded = place.load().unwrap();
    assert_eq!((loaded.config.server.port, source(&loaded, "server.port").as_str()), (7, "etc/default.toml"));
}

#[test]
fn weak_secrets_pass_in_development_only() {
    let weak = [
        ("SECURITY__MASTER_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("SECURITY__ARGON2_MEMORY_KIB", "19455"),
        ("SECURITY__ARGON2_ITERATIONS", "1"),
        ("DATABASE__URL", "postgres://denizen:changeme@db/denizen"),
    ];
    for (name, value) in weak {
        let place = Place::new().env(&format!("DENIZEN__{name}"), value);
        let lines = place.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains(" is weak") && lines[0].contains("expected"), "{lines:?}");
        place.env("APP_ENV", "dev").load().unwrap();
    }
    // No key at all is refused everywhere.
    for app_env in ["dev", "prod"] {
        let place = Place::new().env("DENIZEN__SECURITY__MASTER_KEY", "changeme").env("APP_ENV", app_env);
        assert_eq!(
            place.lines(),
            ["security.master_key from environment DENIZEN__SECURITY__MASTER_KEY is not valid; expected 32 random \
              bytes in base64 or hexadecimal, for example from `openssl rand -base64 32`, or an empty value"]
        );
    }
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    let check = |name: &str, value: &str, start: &str| {
        let lines = Place::new().env(&format!("DENIZEN__{name}"), value).lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with(start), "{lines:?}");
    };
    check("DATABASE__MIN_CONNECTIONS", "21", "database.min_connections from environment");
    check("SESSIONS__ABSOLUTE_TTL_S", "1000", "sessions.idle_ttl_s from built-in default is 1209600; expected at most");
}

#[test]
fn secrets_never_show() {
    let place = Place::new()
        .env("DENIZEN__SECURITY__MASTER_KEY", STRONG_KEY)
        .env("DENIZEN__DATABASE__URL", "postgres://denizen:hun:t@er2@db/denizen?sslpassword=hunter3&sslmode=require");
    let loaded = place.load().unwrap();
    assert_eq!(loaded.config.security.master_key.as_ref().unwrap().expose_secret(), STRONG_KEY);
    assert_eq!(shown(&loaded, "security.master_key"), "[redacted]");
    assert_eq!(
        shown(&loaded, "database.url"),
        "postgres://denizen:[redacted]@db/denizen?sslpassword=[redacted]&sslmode=require"
    );
    let printed = format!("{loaded:?}");
    assert!(!printed.contains(STRONG_KEY) && !printed.contains("hunter3") && !printed.contains("er2"), "{printed}");

    let wrong = Place::new()
        .env("DENIZEN__SECURITY__MASTER_KEY", "hunter2")
        .env("DENIZEN__SECURITY__MASTER_KYE", "hunter2")
        .env("DENIZEN__DATABASE__URL", "mysql://denizen:hunter2@db")
        .file(".env", "DENIZEN__SECURITY__MASTERKEY=hunter2")
        .file("config/default.toml", "security.master_key = [\"hunter2\"]\nsecurity.mkey = \"hunter2\"");
    assert_eq!(wrong.lines().len(), 6);
    assert!(!wrong.lines().join("\n").contains("hunter2"), "{:?}", wrong.lines());
}

#[test]
fn the_generated_documents_set_nothing_and_name_every_key() {
    let (toml, env) = (default_toml(), env_example());
    let loaded = Place::new().file("config/default.toml", &toml).file(".env", &env).load().unwrap();
    assert!(loaded.entries.iter().all(|entry| entry.source == super::Source::BuiltIn));
    // Uncommented, they set every key to its default. The example of a provider has none.
    let uncomment = |text: &str, is_setting: fn(&str) -> bool| -> String {
        text.lines()
            .take_while(|line| !line.starts_with("# Outside providers") && !line.starts_with("# --- providers"))
            .map(|line| line.strip_prefix("# ").filter(|line| is_setting(line)).unwrap_or(line))
            .fold(String::new(), |text, line| text + line + "\n")
    };
    let toml = uncomment(&toml, |line| line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')));
    let env = uncomment(&env, |line| line.starts_with("DENIZEN__") && !line.contains(' '));
    let defaults = Place::new().load().unwrap();
    for loaded in [Place::new().file("config/default.toml", toml).load(), Place::new().file(".env", env).load()] {
        let loaded = loaded.unwrap();
        for (entry, default) in loaded.entries.iter().zip(&defaults.entries) {
            assert_ne!(entry.source, super::Source::BuiltIn, "{}", entry.key);
            assert_eq!(entry.shown_value, default.shown_value, "{}", entry.key);
        }
    }
}

#[test]
fn the_committed_files_are_up_to_date() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (path, generated) in [("config/default.toml", default_toml()), (".env.example", env_example())] {
        let committed = fs::read_to_string(root.join(path)).unwrap_or_default();
        assert!(committed == generated, "{path} is out of date: run `cargo xtask generate`");
    }
}

#[test]
fn the_committed_overlays_are_valid() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for app_env in ["dev", "prod"] {
        let overlay = fs::read_to_string(root.join(format!("config/{app_env}.toml"))).unwrap();
        Place::new().file(&format!("config/{app_env}.toml"), overlay).env("APP_ENV", app_env).load().unwrap();
    }
}
