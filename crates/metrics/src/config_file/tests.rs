//! What a file may say, what is said of one that is wrong, and what describes it.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use super::*;

fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("my.toml");
    std::fs::write(&path, text).expect("written");
    (folder, path)
}

fn refusal(text: &str) -> String {
    let (folder, path) = file(text);
    let error = check(&path).expect_err(text).text();
    error.replace(&format!("{}/", folder.path().display()), "")
}

fn started(text: &str, flags: &[&str]) -> Result<Loaded, LoadError> {
    let (_folder, path) = file(text);
    let mut arguments: Vec<OsString> = vec!["metrics".into(), "--config".into(), path.into()];
    arguments.extend(flags.iter().map(Into::into));
    load(&arguments)
}

#[test]
fn all_that_is_wrong_with_a_file_is_shown_in_its_lines() {
    insta::assert_snapshot!(refusal(
        r#"pol_interval = "2s"
stale_after = 7
gone_after = 5
server = "nats://me:topsecret@host:port"
kv_target = "high"
compat = "upsteam"
exclude = "x/y/z"
poll_interval = "10ms"
pasword = "topsecret"
target = ["a/b", { pth = "x/y/z" }]
metrics_port = 70000
kv_events = 1
[[capacity]]
pools = "a/*/c"
slots = 0
"#
    ));
    insta::assert_snapshot!(refusal(
        "etcd = \"http://me:topsecret\nstale_after = \n[[target\n"
    ));
}

#[test]
fn no_error_shows_a_secret() {
    for text in [
        "server = \"nats://me:topsecret@host:port\"",
        "server = 'topsecret",
        "server = \"\"\"\ntopsecret",
        "pasword = \"topsecret\"",
        "tokn = \"topsecret\n",
        "server = [\"topsecret\"]",
    ] {
        let shown = refusal(text);
        assert!(
            shown.contains("my.toml:") && !shown.contains("topsecret"),
            "{shown}"
        );
    }
}

#[test]
fn of_each_path_it_is_known_where_it_was_given() {
    use fleet::{Form, Given};
    fn check(text: &str, flags: &[&str], path: &str, form: Form, services: Given) {
        let flags = [flags, &["--no-context"]].concat();
        let plan = started(text, &flags)
            .and_then(|loaded| loaded.config())
            .expect("valid")
            .plan;
        let path = path.parse().expect(path);
        assert_eq!(
            (plan.form_of(&path), plan.services_given),
            (form, services),
            "{text} {flags:?}"
        );
    }
    let (flag, key) = (Given::Flag, Given::Key);
    check("", &["--target", "a/b/c"], "a/b/c", Form::Target(flag), flag);
    check("target = [\"a/b/c\"]", &[], "a/b/c", Form::Target(key), flag);
    check(
        "target = [\"x/y/z\"]",
        &["--target", "a/b/c"],
        "a/b/c",
        Form::Target(flag),
        flag,
    );
    check(
        "target = [{ path = \"a/b/c\" }]",
        &[],
        "a/b/c",
        Form::Target(key),
        flag,
    );
    let tables = "[[target]]\npath = \"x/y/z\"\n[[ target ]]\npath = \"a/b/c\"\n";
    check(tables, &[], "a/b/c", Form::Target(Given::Table), flag);
    let names = "component = \"b\"\nendpoint = \"c\"\nservice = [\"orders\"]\n";
    check(names, &[], "dynamo/b/c", Form::Names(key), key);
    let names = ["--component", "b", "--endpoint", "c", "--service", "s"];
    check("", &names, "dynamo/b/c", Form::Names(flag), flag);
}

#[test]
fn a_flag_comes_before_the_file_and_the_file_before_the_default() {
    let text = "poll_interval = \"3s\"\nstale_after = 4\nexclude = [\"a,b/c/d\", \"x/*/z\"]\ntarget = [{ path = \"a/b/c\" }]\n";
    let loaded = started(text, &["--stale-after", "3"]).expect("valid");
    let collect = &loaded.cli.collect;
    assert_eq!(
        (
            collect.rounds.poll_interval.as_secs(),
            collect.rounds.stale_after,
            collect.rounds.gone_after
        ),
        (3, 3, 5)
    );
    let excludes: Vec<String> = collect.watch.exclude.iter().map(ToString::to_string).collect();
    assert_eq!(
        excludes,
        ["a,b/c/d", "x/*/z"],
        "a comma in a file's list separates nothing"
    );
    let shown: Value = serde_json::from_str(&loaded.show_json()).expect("JSON");
    let kind = |key: &str| {
        shown[key]["source"]["kind"]
            .as_str()
            .expect("a source")
            .to_owned()
    };
    assert_eq!(
        ["stale_after", "poll_interval", "grace"].map(kind),
        ["flag", "file", "default"]
    );
    assert_eq!(shown["exclude"]["source"]["line"], 3);
    let loaded = started(text, &["--target", "d/e/f"]).expect("valid");
    assert_eq!(
        loaded.cli.collect.watch.target.len(),
        1,
        "a list replaces the one that it comes before"
    );
}

#[test]
fn values_of_the_file_that_contradict_a_flag_are_shown_in_the_file() {
    let loaded = started("target = [\"a/b/c\"]\nstale_after = 4\n", &["--gone-after", "3"]).expect("valid");
    let error = loaded.config().expect_err("a contradiction").text();
    assert!(
        error.contains("stale_after 4 must be less than --gone-after 3"),
        "{error}"
    );
    assert!(error.contains("my.toml:2:15"), "{error}");
}

#[test]
fn what_is_shown_hides_secrets() {
    let flags = [
        "--server",
        "nats://me:topsecret@host:4222",
        "--etcd",
        "http://me:topsecret@etcd",
    ];
    let loaded = started("", &flags).expect("valid");
    for shown in [loaded.show(), loaded.show_json()] {
        assert!(
            shown.contains("***@host:4222") && !shown.contains("topsecret"),
            "{shown}"
        );
    }
}

#[test]
fn the_example_loads_as_it_is_says_every_key_and_changes_nothing() {
    let text = example();
    let with = started(&text, &[]).expect("valid");
    let without = load(&["metrics".into()]).expect("valid");
    for (with, without) in with.settings.iter().zip(&without.settings) {
        let name = &with.key.name;
        assert_eq!(with.values, without.values, "{name}");
        let is_said = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{name} = "));
        assert!(text.lines().any(is_said), "{name}");
    }
}

/// The example with the keys in it that have no default.
fn whole_example() -> String {
    let keys = keys::all();
    let is_key = |line: &str| {
        keys.iter()
            .any(|key| line.starts_with(&format!("# {} = ", key.name)))
    };
    example()
        .lines()
        .map(|line| match is_key(line) {
            true => format!("{}\n", &line[2..]),
            false => format!("{line}\n"),
        })
        .collect::<String>()
}

#[test]
fn what_the_example_suggests_for_keys_without_a_default_is_valid() {
    let text = whole_example();
    // Together they contradict each other: there is one way to log in.
    started(&text, &[]).unwrap_or_else(|error| panic!("{}", error.text()));
}

#[test]
fn the_schema_takes_the_example_and_refuses_what_is_wrong() {
    let schema: Value = serde_json::from_str(&schema()).expect("JSON");
    let mut compiler = boon::Compiler::new();
    compiler
        .add_resource("schema.json", schema.clone())
        .expect("a schema");
    let mut schemas = boon::Schemas::new();
    let index = compiler
        .compile("schema.json", &mut schemas)
        .expect("a valid schema");
    let check = |text: &str, expected: bool| {
        let value: Value = toml::from_str(text).expect(text);
        let outcome = schemas.validate(&value, index);
        assert_eq!(outcome.is_ok(), expected, "{text}: {:?}", outcome.err());
    };
    check(&example(), true);
    check(&whole_example(), true);
    for wrong in [
        "pol_interval = \"2s\"",
        "stale_after = \"2\"",
        "metrics_port = 70000",
        "compat = \"upsteam\"",
        "exclude = \"a/b/c\"",
        "target = [{ pth = \"a/b/c\" }]",
        "capacity = [{ pools = \"a/b/c\", slots = 0 }]",
        "kv_events = 1",
    ] {
        check(wrong, false);
    }
    for key in keys::all() {
        let about = &schema["properties"][&key.name]["description"];
        assert!(
            about.as_str().is_some_and(|about| !about.is_empty()),
            "{}",
            key.name
        );
    }
}

#[test]
fn a_changed_key_that_a_running_collector_cannot_take_is_named() {
    let start = started("metrics_port = 1\ngrace = \"1s\"\n", &[]).expect("valid");
    let now = started("metrics_port = 2\ngrace = \"2s\"\nhost = \"::1\"\n", &[]).expect("valid");
    assert_eq!(start.waits_for_restart(&now), ["metrics_port", "host"]);
    assert_eq!(start.waits_for_restart(&start), [""; 0]);
}
