//! Which of several values counts, what contradicts, and that no secret is shown. Flags, values of a configuration file
//! and contexts are real; a variable of the environment is one that cargo sets, because a test cannot set its own.

use std::fs;

use clap::{Arg, Args, Command};
use link::{Login, Secret};
use tempfile::TempDir;

use super::*;

/// The name of a variable that has a value while tests run, and its value.
const VARIABLE: &str = "CARGO_PKG_NAME";
const VALUE: &str = env!("CARGO_PKG_NAME");

const SECRET: &str = "s3cr3t-horse";
const OTHER: &str = "s3cr3t-staple";

/// What is given to a program.
#[derive(Default)]
struct Given<'a> {
    flags: &'a [&'a str],
    /// Flags whose variable of the environment has [`VALUE`].
    environment: &'a [&'a str],
    /// Flags with the values that a configuration file gives them.
    file: &'a [(&'static str, &'static str)],
    folder: Option<&'a TempDir>,
}

impl Given<'_> {
    fn resolve(&self) -> Result<Nats, String> {
        let mut command = NatsArgs::augment_args(Command::new("program"));
        let names: Vec<String> = command
            .get_arguments()
            .map(|arg| arg.get_id().to_string())
            .collect();
        for name in names {
            let set = |arg: Arg| match self.environment.contains(&&*name) {
                true => arg.env(VARIABLE),
                false => arg.env(None),
            };
            command = command.mut_arg(&name, set);
        }
        for (name, value) in self.file {
            command = command.mut_arg(name, |arg| arg.default_value(*value));
        }
        let arguments = ["program"].iter().chain(self.flags);
        let matches = command
            .try_get_matches_from(arguments)
            .expect("flags that there are");
        let args =
            <NatsArgs as clap::FromArgMatches>::from_arg_matches(&matches).expect("values that are read");
        let folder = Folder(self.folder.map(|folder| folder.path().to_owned()));
        let resolved = args.resolve_in(&matches, &folder);
        conceals(&format!("{resolved:?}"));
        if let Err(message) = &resolved {
            conceals(message);
        }
        resolved
    }

    #[track_caller]
    fn reaches(&self, expected: &str) {
        let nats = self.resolve().expect(expected);
        assert_eq!(nats.servers.to_string(), format!("nats://{expected}"));
    }

    #[track_caller]
    fn logs_in_with(&self, expected: &Login) {
        let nats = self.resolve().expect("it is resolved");
        assert_eq!(nats.servers.login(), Some(expected));
    }

    #[track_caller]
    fn is_refused(&self, parts: &[&str]) {
        let message = self.resolve().expect_err("it is refused");
        for part in parts {
            assert!(message.contains(part), "{part:?} is missing in {message}");
        }
    }
}

/// A text without any of the secrets of these tests.
#[track_caller]
fn conceals(text: &str) {
    for secret in [SECRET, OTHER] {
        assert!(!text.contains(secret), "{text}");
    }
}

fn flags<'a>(flags: &'a [&'a str]) -> Given<'a> {
    Given {
        flags,
        ..Given::default()
    }
}

fn user(name: &str, password: &str) -> Login {
    Login::User {
        name: Secret::text(name),
        password: Secret::text(password),
    }
}

/// A folder with contexts, of which the first is selected.
fn contexts(contexts: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("context")).expect("a folder");
    for (name, text) in contexts {
        let file = folder.path().join("context").join(format!("{name}.json"));
        fs::write(file, text).expect("a context");
    }
    let selected = contexts.first().map_or("", |(name, _)| name);
    fs::write(folder.path().join("context.txt"), format!("{selected}\n")).expect("a selection");
    folder
}

#[test]
fn a_flag_counts_more_than_the_environment_a_file_a_context_and_the_default() {
    let folder = contexts(&[("mine", r#"{ "url": "nats://context:1" }"#)]);
    let mut given = Given::default();
    given.reaches("127.0.0.1:4222");
    given.folder = Some(&folder);
    given.reaches("context:1");
    given.file = &[("server", "nats://file:1")];
    given.reaches("file:1");
    given.environment = &["server"];
    given.reaches(VALUE);
    given.flags = &["--server", "nats://flag:1"];
    given.reaches("flag:1");
}

#[test]
fn a_login_is_of_the_first_that_has_a_part_of_one_and_lower_ones_complete_it() {
    let text = format!(r#"{{ "url": "nats://context:1", "user": "context", "password": "{OTHER}" }}"#);
    let folder = contexts(&[("mine", &text)]);
    let given = |flags, environment| Given {
        flags,
        environment,
        folder: Some(&folder),
        ..Given::default()
    };
    given(&[], &[]).logs_in_with(&user("context", OTHER));
    given(&["--password", SECRET], &[]).logs_in_with(&user("context", SECRET));
    given(&["--user", "flag"], &[]).logs_in_with(&user("flag", OTHER));
    given(&["--user", "flag"], &["password"]).logs_in_with(&user("flag", VALUE));
    // Another way to log in leaves that of the context out.
    given(&["--token", SECRET], &[]).logs_in_with(&Login::Token(Secret::text(SECRET)));
    given(&[], &["token"]).logs_in_with(&Login::Token(Secret::text(VALUE)));
    // A user alone is a token, as for the nats CLI.
    flags(&["--user", SECRET]).logs_in_with(&Login::Token(Secret::text(SECRET)));
    let address = format!("nats://address:{SECRET}@host:1");
    flags(&["--server", &address]).logs_in_with(&user("address", SECRET));
    given(&["--server", &address], &["token"]).logs_in_with(&user("address", SECRET));
}

#[test]
fn a_file_and_the_environment_are_asked_value_by_value() {
    let mut given = Given {
        file: &[("inbox_prefix", "_FILE"), ("timeout", "7s")],
        ..Given::default()
    };
    let nats = given.resolve().expect("it is resolved");
    assert_eq!(nats.servers.inbox_prefix(), "_FILE");
    assert_eq!(nats.servers.timeout(), Duration::from_secs(7));
    given.environment = &["inbox_prefix"];
    given.flags = &["--timeout", "9s"];
    let nats = given.resolve().expect("it is resolved");
    assert_eq!(nats.servers.inbox_prefix(), VALUE);
    assert_eq!(nats.timeout, Some(Duration::from_secs(9)));
}

#[test]
fn a_context_is_named_or_selected_or_left_out() {
    let folder = contexts(&[
        ("selected", r#"{ "url": "nats://selected:1" }"#),
        (
            "named",
            r#"{ "url": "nats://named:1", "inbox_prefix": "_NAMED" }"#,
        ),
    ]);
    let given = |flags| Given {
        flags,
        folder: Some(&folder),
        ..Given::default()
    };
    given(&[]).reaches("selected:1");
    given(&["--context", "named"]).reaches("named:1");
    given(&["--no-context"]).reaches("127.0.0.1:4222");
    given(&["--no-context", "--context", "named"]).reaches("127.0.0.1:4222");
    // An address of one's own leaves the selected context out, and keeps what else a named one says.
    given(&["--server", "nats://own:1"]).reaches("own:1");
    let both = given(&["--server", "nats://own:1", "--context", "named"]);
    let nats = both.resolve().expect("it is resolved");
    assert_eq!(nats.servers.to_string(), "nats://own:1");
    assert_eq!(nats.servers.inbox_prefix(), "_NAMED");
}

#[test]
fn a_context_that_cannot_be_used_is_named_with_what_to_do() {
    let broken = format!(r#"{{ "url": "nats://broken:1", "password": "{SECRET}", }}"#);
    let wrong = format!(r#"{{ "url": "nats://wrong:1", "password": ["{SECRET}"] }}"#);
    let folder = contexts(&[
        ("broken", &broken),
        ("wrong", &wrong),
        ("elsewhere", r#"{ "creds": "op://vault/creds" }"#),
        ("address", r#"{ "url": "nats://s3cr3t-horse@host:no" }"#),
    ]);
    fs::create_dir(folder.path().join("context/folder.json")).expect("a folder");
    let check = |arguments: &[&str], parts: &[&str]| {
        let given = Given {
            flags: arguments,
            folder: Some(&folder),
            ..Given::default()
        };
        given.is_refused(parts);
    };
    // It is the selected one.
    check(
        &[],
        &["broken.json", "line 1", "context.txt selects it", "--no-context"],
    );
    check(
        &["--context", "broken"],
        &["broken.json", "line 1", "nats context edit broken"],
    );
    check(&["--context", "wrong"], &["wrong.json", "line 1"]);
    check(&["--context", "folder"], &["folder.json", "cannot be read"]);
    check(
        &["--context", "elsewhere"],
        &["elsewhere.json", "creds", "name a file"],
    );
    check(&["--context", "address"], &["'url' of the context"]);
    check(
        &["--context", "brokne"],
        &["no context \"brokne\"", "did you mean \"broken\"?"],
    );
    check(
        &["--context", "zzz"],
        &["there are address, broken, elsewhere, folder, wrong"],
    );
    check(&["--context", "../broken"], &["not a context name"]);
    flags(&["--context", "mine"]).is_refused(&["neither HOME nor XDG_CONFIG_HOME is set"]);
}

#[test]
fn the_fields_of_a_context_that_have_no_effect_are_known() {
    let text =
        r#"{ "url": "nats://host:1", "description": "x", "socks_proxy": "x", "windows_cert_store": "" }"#;
    let folder = contexts(&[("mine", text)]);
    let given = Given {
        folder: Some(&folder),
        ..Given::default()
    };
    let context = given
        .resolve()
        .expect("it is resolved")
        .context
        .expect("the selected one");
    assert_eq!(context.unused, ["socks_proxy"]);
    assert_eq!(context.chosen_by, "nats context select");
}

#[test]
fn two_ways_to_log_in_and_halves_of_one_are_refused_by_name() {
    let check = |arguments: &[&str], parts: &[&str]| flags(arguments).is_refused(parts);
    check(
        &["--user", "me", "--password", SECRET, "--token", OTHER],
        &["--user", "--token", "two ways to log in"],
    );
    check(&["--creds", "x", "--nkey", "y"], &["--creds", "--nkey"]);
    let address = format!("nats://me:{SECRET}@host");
    check(
        &["--server", &address, "--token", OTHER],
        &["--token", "'--server <URL>'"],
    );
    check(
        &["--password", SECRET],
        &["without a user", "--user or NATS_USER"],
    );
    check(
        &["--user", "me", "--password", SECRET, "--password-file", "x"],
        &["--password and --password-file"],
    );
    check(
        &["--token", SECRET, "--token-file", "x"],
        &["--token and --token-file"],
    );
    check(
        &["--jwt", "eyJ.s3cr3t-horse"],
        &["without its seed", "--seed-file"],
    );
    check(&["--seed-file", "x"], &["without its JWT", "--nkey"]);
    check(&["--tlscert", "x"], &["needs --tlskey"]);
    check(&["--tlskey", "x"], &["needs --tlscert"]);
    // Of a variable and a flag, the flag alone counts.
    let given = Given {
        flags: &["--token", SECRET],
        environment: &["user"],
        ..Given::default()
    };
    given.logs_in_with(&Login::Token(Secret::text(SECRET)));
}

#[test]
fn a_value_that_cannot_be_used_is_refused_and_not_shown() {
    let check = |arguments: &[&str], parts: &[&str]| flags(arguments).is_refused(parts);
    check(
        &["--server", "nats://me:s3cr3t-horse@host:port"],
        &["'--server <URL>'", "write e.g. nats://127.0.0.1:4222"],
    );
    check(&["--server", "nats://me:s3cr3t-horse@"], &["'--server <URL>'"]);
    check(
        &["--inbox-prefix", "a.>"],
        &["--inbox-prefix", "without wildcards"],
    );
    let jwt = ["--jwt", "eyJ.s3cr3t-horse", "--seed", "/nonexistent"];
    check(&jwt, &["eyJ"]);
    check(
        &["--creds", "/nonexistent/creds"],
        &["/nonexistent/creds", "No such file"],
    );
    let folder = tempfile::tempdir().expect("a folder");
    let creds = folder.path().join("creds");
    fs::write(&creds, SECRET).expect("a file");
    let creds = creds.to_str().expect("UTF-8");
    check(&["--creds", creds], &[creds, "it needs a JWT"]);
    check(&["--nkey", creds], &[creds, "is not the seed"]);
}

#[test]
fn debug_output_shows_no_secret() {
    let text = format!(r#"{{ "url": "nats://me:{OTHER}@host:1", "token": "{OTHER}" }}"#);
    let folder = contexts(&[("mine", &text)]);
    for arguments in [
        &["--server", "nats://me:s3cr3t-horse@host", "--context", "mine"][..],
        &["--user", "me", "--password", SECRET, "--context", "mine"],
        &["--token", SECRET],
        &["--user", SECRET],
    ] {
        let given = Given {
            flags: arguments,
            folder: Some(&folder),
            ..Given::default()
        };
        let nats = given.resolve().expect("it is resolved");
        assert!(nats.servers.login().is_some());
        conceals(&format!("{nats:?} {} {:?}", nats.servers, nats.servers.login()));
        let mut command = NatsArgs::augment_args(Command::new("program"));
        let matches = command.try_get_matches_from_mut(["program"].iter().chain(arguments));
        let matches = matches.expect("flags that there are");
        let args = <NatsArgs as clap::FromArgMatches>::from_arg_matches(&matches).expect("values");
        conceals(&format!("{args:?}"));
    }
}
