//! The command line, as people type it.

use std::time::Duration;

use protocol::{Layout, StatsShape, WorkerId};
use sim::Process;
use sim::nanos::Nanos;

use super::*;
use crate::control::Request;
use crate::generation::RequestPlane;

fn parse(args: &[&str]) -> Result<Command, clap::Error> {
    Command::parse_from(["mock-worker"].iter().chain(args))
}

fn run(args: &[&str]) -> Config {
    match parse(args) {
        Ok(Command::Run(mut configs)) => configs.remove(0),
        other => panic!("{args:?} is no run: {other:?}"),
    }
}

fn simulation(args: &[&str]) -> Play {
    match parse(args) {
        Ok(Command::Simulate(play, _)) => *play,
        other => panic!("{args:?} is no simulation: {other:?}"),
    }
}

#[test]
fn without_flags_it_is_one_worker_of_the_usual_path() {
    let config = run(&[]);
    assert_eq!(config.path.to_string(), "dynamo/my_component/my_endpoint");
    assert_eq!(config.ids.len(), 1);
    assert_eq!(
        (config.layout, config.stats_shape),
        (Layout::Hashed, Some(StatsShape::Nested))
    );
    assert_eq!(config.scenario.event_interval, Nanos(1_000_000_000));
    assert_eq!(config.nats.servers.to_string(), "nats://127.0.0.1:4222");
    assert_eq!(config.grace, Duration::from_secs(5));
}

#[test]
fn a_run_has_the_workers_of_its_scenario_unless_a_flag_says_otherwise() {
    let own = Scenario::load("fleet-1k", &[]).expect("shipped").workers;
    assert_eq!(run(&["run", "fleet-1k"]).ids.len(), own as usize);
    assert_eq!(run(&["run", "fleet-1k", "--workers", "7"]).ids.len(), 7);
    assert_eq!(run(&["run", "fleet-1k", "--set", "workers=8"]).ids.len(), 8);
    assert_eq!(run(&["--workers", "3"]).ids.len(), 3);
}

#[test]
fn durations_are_seconds_or_have_a_unit() {
    fn check(text: &str, milliseconds: u64) {
        let config = run(&["--event-interval", text]);
        assert_eq!(
            config.scenario.event_interval,
            Nanos(milliseconds * 1_000_000),
            "{text}"
        );
    }
    check("2", 2_000);
    check("2s", 2_000);
    check("500ms", 500);
    check("0", 0);
}

#[test]
fn ids_come_from_the_seed_or_follow_the_first() {
    let ids = |args: &[&str]| run(args).ids;
    let seeded = |workers| ids(&["--seed", "1", "--workers", workers]);
    assert_eq!(seeded("3")[..2], seeded("2"));
    assert_ne!(
        ids(&[]),
        ids(&[]),
        "processes that are given no seed do not get in each other's way"
    );
    assert_ne!(ids(&["--seed", "1"]), ids(&["--seed", "2"]));
    let expected = [7, 8, 9].map(WorkerId::new);
    assert_eq!(ids(&["--workers", "3", "--first-id", "7"]), expected);
    let last = ids(&["--first-id", "18446744073709551615"]);
    assert_eq!(last, [WorkerId::new(u64::MAX)]);
}

#[test]
fn a_simulation_repeats_itself_unless_it_is_given_a_seed() {
    assert_eq!(simulation(&["simulate", "steady"]).seed, 0);
    let play = simulation(&[
        "simulate",
        "steady",
        "--seed",
        "42",
        "--duration",
        "60s",
        "--threads",
        "3",
    ]);
    assert_eq!(
        (play.seed, play.duration, play.threads),
        (42, Nanos(60_000_000_000), 3)
    );
}

#[test]
fn a_trace_takes_the_place_of_the_scenarios_requests() {
    let file = tempfile::Builder::new()
        .suffix(".csv")
        .tempfile()
        .expect("there is room for a file");
    std::fs::write(
        file.path(),
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,5,6\n",
    )
    .expect("it can be written");
    let path = file.path().display().to_string();
    let play = simulation(&[
        "simulate",
        "steady",
        "--workers",
        "1",
        "--trace",
        &path,
        "--speedup",
        "2",
        "--loop",
    ]);
    let trace = play.scenario.traffic.trace.clone().expect("a trace is played");
    assert_eq!((trace.speedup, trace.repeat), (2.0, true));
    let traffic = play.scenario.traffic().expect("it can be read");
    let replay = traffic.replay.expect("a trace is played");
    assert_eq!(replay.trace.requests()[0].output_tokens, 6);
}

#[test]
fn what_is_known_of_a_trace_goes_with_its_file() {
    let file = tempfile::NamedTempFile::new().expect("there is room for a file");
    let rows = "{\"timestamp\": 1.5, \"input_length\": 600, \"output_length\": 1, \"hash_ids\": [1, 2]}\n";
    std::fs::write(file.path(), format!("{rows}{{}}\n")).expect("it can be written");
    let path = file.path().display().to_string();
    let options = [
        "--trace-block-size",
        "300",
        "--trace-time-unit",
        "s",
        "--trace-format",
        "mooncake",
    ];
    let read = |args: &[&str]| {
        // The scenario's own trace is in another format.
        let own = ["simulate", "trace-azure", "--trace", &path];
        let play = simulation(&[&own, &options[..], args].concat());
        play.scenario
            .traffic()
            .map(|traffic| traffic.replay.expect("a trace is played"))
    };
    let replay = read(&[]).expect("one row can be played");
    assert_eq!(replay.trace.block_tokens(), Some(300));
    assert_eq!(replay.trace.reading().skipped, 1);
    assert!(replay.repeat, "the scenario's trace begins again");
    let error = format!("{:#}", read(&["--strict"]).expect_err("a row cannot be played"));
    assert!(
        error.contains(&path) && error.contains("line 2: timestamp is missing"),
        "{error}"
    );
    for option in [&options[..2], &options[2..4], &options[4..], &["--strict"]] {
        let args = [&["simulate", "trace-azure"], option].concat();
        let error = parse(&args).expect_err("there is no file").to_string();
        assert!(error.contains("go with --trace FILE"), "{error}");
    }
}

#[test]
fn control_is_checked_before_it_is_sent() {
    let request = |args: &[&str]| match parse(&[&["ctl"], args].concat()) {
        Ok(Command::Ctl(_, call)) => call.request,
        other => panic!("{args:?} is no call: {other:?}"),
    };
    assert_eq!(request(&["status"]), Request::Status);
    assert_eq!(
        request(&["advance", "10s"]),
        Request::Advance {
            by: Nanos(10_000_000_000)
        }
    );
    let select = "first=1".to_owned();
    assert_eq!(request(&["kill", "first=1"]), Request::Kill { select });
    let check = |args: &[&str], expected: &str| {
        let error = parse(&[&["ctl"], args].concat()).expect_err("wrong");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(&["fault", "kind=lat"], "did you mean `late`?");
    check(&["fault", "kind=late", "copies=3"], "copies does not belong");
    check(&["set", "worker.slots=3"], "--set worker.slots=3");
    check(&["clear", "lat"], "list --faults");
    check(&["kill", "frist=1"], "did you mean `first`?");
    check(&["status", "--name", "a.b"], "letters, digits");
}

#[test]
fn a_wrong_flag_exits_2_with_flag_value_and_remedy() {
    fn check(args: &[&str], expected: &[&str]) {
        let error = parse(args).expect_err("wrong");
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        for part in expected {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
    }
    check(&["--workers", "0"], &["--workers", "'0'", "1..=100000"]);
    check(&["--layout", "hash"], &["--layout", "'hash'", "hashed-pipe"]);
    check(
        &["--event-interval", "soon"],
        &["--event-interval", "'soon'", "500ms"],
    );
    check(
        &["--request-rate", "nan"],
        &["--request-rate", "'nan'", "0 to 1000"],
    );
    check(&["--speed", "0"], &["--speed", "'0'", "0.001 to 1000"]);
    check(&["--endpoint", "a b"], &["--endpoint", "'a b'", "white space"]);
    check(&["--component", "a/b"], &["--component", "'a/b'", "separates"]);
    check(
        &["--server", "http://x"],
        &["--server", "'http://x'", "nats://127.0.0.1:4222"],
    );
    check(
        &["--first-id", "18446744073709551615", "--workers", "2"],
        &["--first-id", "at most 18446744073709551614"],
    );
    check(
        &["--namespace", "日", "--component", "本", "--layout", "plain"],
        &["--layout", "'plain'", "use the hashed layout"],
    );
    check(&["run", "stedy"], &["stedy", "did you mean `steady`?"]);
    check(
        &["run", "steady", "--set", "workers"],
        &["--set", "traffic.rate=5"],
    );
    check(&["show", "stedy"], &["did you mean `steady`?"]);
    check(&["verify"], &["--metrics"]);
}

#[test]
fn a_flag_before_a_command_is_refused_and_not_passed_over() {
    let error = parse(&["--workers", "3", "run", "steady"]).expect_err("it would count for nothing");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn a_wrong_address_does_not_give_its_password_away() {
    let error = parse(&["--server", "nats://me:secret@host:port"]).expect_err("no port");
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(error.to_string().contains("***"), "{error}");
}

#[test]
fn scenarios_and_faults_are_listed_and_shown() {
    let printed = |args: &[&str]| match parse(args) {
        Ok(Command::Print(text)) => text,
        other => panic!("{args:?} prints nothing: {other:?}"),
    };
    let list = printed(&["list"]);
    for (name, text) in crate::scenario::SHIPPED {
        assert!(
            list.lines().any(|line| line.starts_with(name)),
            "{name} is not in {list}"
        );
        assert_eq!(printed(&["show", name]), *text);
        assert!(printed(&["check", name]).contains("can be run"));
    }
    assert!(printed(&["list", "--faults"]).contains("late"));
}

#[test]
fn the_request_rate_is_that_of_the_scenario_or_of_the_flag() {
    assert_eq!(run(&["--request-rate", "0.5"]).scenario.traffic.rate, Some(0.5));
    assert_eq!(
        run(&["--set", "traffic.process=constant"])
            .scenario
            .traffic
            .process,
        Process::Constant
    );
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn no_variable_has_a_name_that_kubernetes_sets_for_a_service() {
    let colliding = program::environment::colliding_variables(&Cli::command());
    assert!(colliding.is_empty(), "{colliding:?}");
}

#[test]
fn a_generation_decides_how_workers_speak_and_over_what_requests_come() {
    let speaks = |args: &[&str]| {
        let config = run(&[&["run", "--generation"], args].concat());
        (config.layout, config.stats_shape, config.request_plane)
    };
    assert_eq!(
        speaks(&["0.1"]),
        (Layout::Hashed, Some(StatsShape::Flat), RequestPlane::Nats)
    );
    assert_eq!(
        speaks(&["0.5"]),
        (Layout::Plain, Some(StatsShape::Nested), RequestPlane::Nats)
    );
    assert_eq!(speaks(&["0.9"]), (Layout::Plain, None, RequestPlane::Nats));
    assert_eq!(speaks(&["1.6"]), (Layout::Plain, None, RequestPlane::Tcp));
    assert_eq!(speaks(&["1.2", "--request-plane", "nats"]).2, RequestPlane::Nats);
    let config = run(&["--generation", "1.4", "--request-trace-subject", "traces.here"]);
    assert_eq!(config.request_trace_subject, "traces.here");
    assert_eq!(run(&[]).generation, None);
}

#[test]
fn flags_that_do_not_fit_a_generation_are_refused_with_what_to_use() {
    let check = |args: &[&str], expected: &str| {
        let error = parse(&[&["run"], args].concat())
            .expect_err("it does not fit")
            .to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(
        &["--generation", "0.5", "--request-plane", "tcp"],
        "over NATS alone; use nats, or --generation 1.2 or later",
    );
    check(&["--request-plane", "nats"], "--generation <VERSION>");
    check(
        &["--generation", "1.6", "--layout", "hashed"],
        "cannot be used with",
    );
    check(
        &["--generation", "1.6", "--encoding", "json"],
        "cannot be used with",
    );
    check(
        &["--generation", "0.5", "--event-interval", "1s"],
        "cannot be used with",
    );
    check(
        &["--generation", "2.0"],
        "[possible values: 0.1, 0.5, 0.9, 1.2, 1.4, 1.6]",
    );
    check(
        &["--generation", "1.2", "--request-trace-subject", "a"],
        "use --generation 1.4 or later",
    );
    check(
        &["--generation", "1.4", "--request-trace-subject", "a.>"],
        "not a subject to publish at",
    );
    check(
        &["--generation", "1.2", "--namespace", "a b"],
        "no subject can carry those of a b/my_component/my_endpoint",
    );
}
