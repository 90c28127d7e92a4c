use clap::error::ErrorKind;
use clap::{Command, CommandFactory, Parser};

use super::failure::{Failure, printable, usage_line};
use super::output::table;
use super::{Cli, command_of, parse_setting, settings_first};

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(settings_first(line.split_whitespace().map(Into::into)))
}

fn kind(line: &str) -> Option<ErrorKind> {
    parse(line).err().map(|error| error.kind())
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_explains_itself_with_an_example() {
    fn check(command: &Command, path: &str) {
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            let path = format!("{path} {}", inner.get_name());
            assert!(inner.get_about().is_some(), "{path} says nothing");
            let help = inner.get_after_help().map(ToString::to_string).unwrap_or_default();
            let is_leaf = !inner.has_subcommands();
            let is_explained = help.contains("Example") && help.contains("denizen");
            assert!(
                is_explained || !is_leaf || path == "denizen migrate plan" || path == "denizen migrate run",
                "{path}"
            );
            for argument in inner.get_arguments() {
                assert!(argument.get_help().is_some(), "{path} {} says nothing", argument.get_id());
            }
            check(inner, &path);
        }
    }
    check(&Cli::command(), "denizen");
}

#[test]
fn arguments_are_parsed_at_the_edge() {
    for line in [
        "denizen serve --host 0.0.0.0 --port 1 --database-url sqlite://x --no-migrate",
        "denizen migrate",
        "denizen migrate plan --output json",
        "denizen users list --email a@example.com --q ada --role admin --status active --limit 5 --count",
        "denizen users set-role 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e admin",
        "denizen users import - --dry-run",
        "denizen --set server.port=1 config show --config-dir etc",
        "denizen completions zsh",
        "denizen users list --role support --limit 5",
        "denizen sessions list a@example.com --limit 5 --count",
        "denizen events list --types user.created,session.* --limit 200",
        "denizen events follow --after x",
        "denizen sessions revoke 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e",
        "denizen roles create support --permission users:read,roles:read --permission sessions:read --description x",
        "denizen roles create support --permission users:read roles:read",
        "denizen roles create guest --no-permissions",
        "denizen roles set 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --description=",
        "denizen service-accounts set 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --status disabled --role user",
        "denizen api-keys create --service-account 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --name ci --scope users:read",
        "denizen api-keys rotate 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --overlap-s 0",
        "denizen keys withdraw -bLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs --yes",
        "denizen keys withdraw --yes -bLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
        "denizen master-key rotate --to-file next.key",
    ] {
        assert_eq!(kind(line), None, "{line}");
    }
    for line in [
        "denizen users get nobody",
        "denizen users list --role King",
        "denizen users list --status gone",
        "denizen sessions revoke nobody",
        "denizen roles create Support --no-permissions",
        "denizen roles create support --permission users:fly",
        "denizen service-accounts set 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --status invited",
        "denizen api-keys rotate 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --overlap-s 2592001",
        "denizen users list --created-after yesterday",
        "denizen users create --email nobody --name Ada",
        "denizen config show --set server.port",
    ] {
        assert_eq!(kind(line), Some(ErrorKind::ValueValidation), "{line}");
    }
    assert_eq!(kind("denizen users list --after x --offset 1"), Some(ErrorKind::ArgumentConflict));
    assert_eq!(kind("denizen user list"), Some(ErrorKind::InvalidSubcommand));
    for line in [
        "denizen roles create support --permission users:read --no-permissions",
        "denizen api-keys list --user a@example.com --service-account 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e",
        "denizen master-key rotate --to-file next.key --to-command true",
    ] {
        assert_eq!(kind(line), Some(ErrorKind::ArgumentConflict), "{line}");
    }
    for line in [
        "denizen roles create support",
        "denizen roles set support",
        "denizen service-accounts set 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e",
        "denizen api-keys create --service-account 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --name ci",
        "denizen keys withdraw",
        "denizen master-key rotate",
    ] {
        assert_eq!(kind(line), Some(ErrorKind::MissingRequiredArgument), "{line}");
    }
}

#[test]
fn settings_before_and_after_the_command_all_count() {
    let cli =
        parse("denizen --set server.port=1 --set=server.host=::1 config show --set tokens.audience=a=b").ok().unwrap();
    let keys: Vec<&str> = cli.globals.settings.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["server.port", "server.host", "tokens.audience"]);
    assert_eq!(parse_setting("tokens.audience=a=b"), Ok(("tokens.audience".into(), "a=b".into())));
}

#[test]
fn wrong_usage_is_one_line() {
    for (line, expected) in [
        (
            "denizen serv",
            "unrecognized subcommand 'serv'; some similar subcommands exist: 'service-accounts', 'users', 'serve'; see `denizen --help`",
        ),
        (
            "denizen users get",
            "the following required arguments were not provided: <ID|EMAIL>; see `denizen users get --help`",
        ),
        (
            "denizen users list --role King",
            "invalid value 'King' for '--role <ROLE>': must be the name of a role; see `denizen users list --help`",
        ),
    ] {
        let arguments: Vec<_> = line.split_whitespace().map(Into::into).collect();
        assert_eq!(usage_line(&parse(line).err().unwrap().to_string(), &command_of(&arguments)), expected);
    }
    assert_eq!(printable("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
}

#[test]
fn a_reader_who_left_is_no_failure() {
    let gone = Failure::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
    assert!(matches!(gone, Failure::ReaderGone));
}

#[test]
fn columns_line_up() {
    let rows = [["A", "B"], ["wide", "x"], ["ü", "y\n"]].map(|row| row.map(str::to_owned));
    assert_eq!(table(rows), "A     B\nwide  x\nü     y\\n\n");
}
