//! `metrics explain`, `metrics list`, and what wrong flags say.

use protocol::Layout;
use serde_json::Value;
use tests::{Finished, Micro, NatsServer, Program, TestFleet, Workers, built, finish, free_port, metrics};

use crate::TARGET;

async fn run(server: &NatsServer, arguments: &[&str]) -> Finished {
    finish(metrics(&[arguments, &["--server", server.url()]].concat())).await
}

fn json(output: &Finished) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[tokio::test]
async fn explain_exits_3_and_names_what_differs_and_0_where_the_target_has_workers() {
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["--component", "MyComponent", "--workers", "2"]).await;

    let missed = run(&server, &["explain", TARGET]).await;
    assert_eq!(missed.code, Some(3), "{missed:?}");
    for part in [
        "dynamo_mycomponent_593024f1.my_endpoint-",
        "component differs in letter case",
        "metrics --target dynamo/MyComponent/my_endpoint",
    ] {
        assert!(missed.stdout.contains(part), "{part}: {missed:?}");
    }
    for candidate in [
        "dynamo_my_component_1854ce00.my_endpoint",
        "dynamo_my_component.my_endpoint",
    ] {
        assert!(
            missed.stdout.contains(candidate),
            "the candidates that were tried: {missed:?}"
        );
    }

    let found = run(&server, &["explain", "dynamo.MyComponent.my_endpoint"]).await;
    assert_eq!(found.code, Some(0), "{found:?}");
    assert!(found.stdout.contains("hashed"), "{found:?}");
}

#[tokio::test]
async fn explain_judges_every_service_that_there_is() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&Micro::worker(TARGET, Layout::Plain, Some(0x2a)));
    fleet
        .join(&Micro::worker("dynamo/my_component/my_endpoint_v2", Layout::Plain, Some(2)).with_id("longer"));
    fleet.join(&Micro::worker("dynamo/My_Component/my_endpoint", Layout::Plain, Some(3)).with_id("case"));
    fleet.join(&Micro::service("orders", "o1").endpoint("orders.create", 0));
    fleet.join(
        &Micro::service("dynamo_my_component", "bad").endpoint("dynamo_my_component.my_endpoint-xyz", 0),
    );
    fleet.join_raw("broken", "broken", "{", None);

    let text = run(&server, &["explain", TARGET]).await;
    assert_eq!(text.code, Some(0), "{text:?}");
    for part in [
        "my_endpoint-2a",
        "longer endpoint name",
        "component differs in letter case",
        "orders.create",
        "my_endpoint-xyz",
        "not one",
    ] {
        assert!(text.stdout.contains(part), "{part} in:\n{}", text.stdout);
    }
    let parsed = run(&server, &["explain", TARGET, "--json"]).await;
    assert_eq!(parsed.code, Some(0), "{parsed:?}");
    let parsed = json(&parsed).to_string();
    for part in [
        "dynamo_my_component.my_endpoint-2a",
        "orders.create",
        "longer_endpoint",
        "letter_case",
    ] {
        assert!(parsed.contains(part), "{part} in {parsed}");
    }
}

#[tokio::test]
async fn names_that_would_command_the_terminal_are_shown_as_text() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let evil = "\u{1b}[2J\u{7}\r\nall is well";
    let mut micro = Micro::service(evil, evil)
        .endpoint(&format!("dynamo_my_component.my_endpoint-{evil}"), 0)
        .endpoint(&format!("dynamo_my_component.{evil}"), 0)
        .endpoint(&format!("{evil}.{evil}"), 0);
    micro.version = evil.to_owned();
    fleet.join(&micro);
    fleet.join(&Micro::worker(TARGET, Layout::Plain, None).with_id(evil));
    for arguments in [
        ["explain", TARGET].as_slice(),
        &["list"],
        &["explain", TARGET, "--json"],
        &["list", "--json"],
    ] {
        let shown = run(&server, arguments).await;
        assert!(
            shown.code.is_some_and(|code| code != 1),
            "{arguments:?}: {shown:?}"
        );
        let commands = |c: char| c.is_control() && c != '\n';
        assert!(
            !shown.stdout.contains(commands),
            "{arguments:?}: {:?}",
            shown.stdout
        );
        assert!(
            !shown.stdout.contains("\nall is well"),
            "{arguments:?}: {:?}",
            shown.stdout
        );
        assert!(
            !shown.stderr.contains(commands),
            "{arguments:?}: {:?}",
            shown.stderr
        );
    }
}

#[tokio::test]
async fn explain_says_when_no_service_answers_and_when_nats_cannot_be_reached() {
    let server = NatsServer::start().await;
    let absent = run(&server, &["explain", TARGET]).await;
    assert_eq!(absent.code, Some(3), "{absent:?}");
    assert!(absent.stdout.contains("no service answered at all"), "{absent:?}");
    let empty = run(&server, &["explain", TARGET, "--json"]).await;
    assert_eq!(empty.code, Some(3), "{empty:?}");
    json(&empty);

    let nowhere = format!("nats://127.0.0.1:{}", free_port());
    for command in [["explain", TARGET].as_slice(), &["list"]] {
        let away = finish(metrics(&[command, &["--server", &nowhere]].concat())).await;
        assert_eq!(away.code, Some(7), "{away:?}");
        assert!(
            away.stderr.contains(&nowhere) && away.stderr.contains("--server"),
            "{away:?}"
        );
    }
}

#[tokio::test]
async fn list_shows_every_pool_by_the_name_that_finds_it() {
    let server = NatsServer::start().await;
    let empty = run(&server, &["list"]).await;
    assert_eq!(empty.code, Some(3), "{empty:?}");

    let fleet = TestFleet::connect(&server).await;
    let mut pools = Vec::new();
    for (at, layout) in Layout::ALL.into_iter().enumerate() {
        let path = format!("Prod.eu/My-Comp{at}/gen-erate{at}");
        for id in [1, 2] {
            fleet.join(&Micro::worker(&path, layout, Some(id)));
        }
        pools.push(path);
    }
    let listed = run(&server, &["list"]).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let parsed = json(&run(&server, &["list", "--json"]).await).to_string();
    for path in &pools {
        assert!(
            listed.stdout.contains(path.as_str()),
            "{path} in {}",
            listed.stdout
        );
        assert!(parsed.contains(path.as_str()), "{path} in {parsed}");
        assert_eq!(run(&server, &["explain", path]).await.code, Some(0), "{path}");
    }
}

#[tokio::test]
async fn the_worker_of_the_examples_is_found_by_list() {
    let server = NatsServer::start().await;
    let mut command = built("examples/full_worker");
    command.env("NATS_URL", server.url());
    let mut worker = Program::start("full_worker", command);
    worker
        .says(&["serves", "dynamo_my_component_1854ce00.my_endpoint-"])
        .await;
    let listed = run(&server, &["list"]).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    assert!(listed.stdout.contains(TARGET), "{listed:?}");
}

#[tokio::test]
async fn a_wrong_flag_is_named_with_its_remedy_and_exits_2() {
    for (arguments, named) in [
        (["--component", "a", "--endpont", "b"].as_slice(), "--endpoint"),
        (&["--component", "a"], "--endpoint"),
        (&[], "--target"),
        (&["--target", "a/b/c", "--kv-target", "80"], "write 0.8"),
        (&["--target", "dynamo/backend"], "the endpoint is missing"),
        (
            &["--target", "a/b/c", "--poll-interval", "soon"],
            "--poll-interval",
        ),
        (&["--target", "a/b/c", "--poll-interval", "0"], "--poll-interval"),
        (
            &["--target", "a/b/c", "--poll-interval", "1e19"],
            "--poll-interval",
        ),
        (&["--target", "a/b/c", "--poll-interval", "1e-9"], "too short"),
        (&["--target", "a/b/c", "--grace", "1h"], "too long"),
        (
            &["--target", "a/b/c", "--round-timeout", "3s"],
            "raise --poll-interval",
        ),
        (
            &["--target", "a/b/c", "--metrics-port", "70000"],
            "--metrics-port",
        ),
        (
            &["--target", "a/b/c", "--stale-after", "9", "--gone-after", "3"],
            "--gone-after",
        ),
        (
            &[
                "--target",
                "a/b/c",
                "--subject-pattern",
                "{namespace}{component}.{endpoint}-{worker_id}",
            ],
            "ambiguous",
        ),
        (
            &[
                "--target",
                "a/b/c",
                "--subject-pattern",
                "{namespace}.{component}.{endpoint}",
            ],
            "incomplete",
        ),
        (&["--target", "a/b/c", "--compat", "downstream"], "--compat"),
        (&["--component", "a/b", "--endpoint", "c"], "--component"),
        (&["--component", "a", "--endpoint", "b c"], "--endpoint"),
        (&["explain", "a/b"], "the endpoint is missing"),
    ] {
        let ended = finish(metrics(arguments)).await;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(
            ended.stderr.contains(named),
            "{arguments:?}: {named} in {}",
            ended.stderr
        );
        assert!(ended.stdout.is_empty(), "{ended:?}");
    }
}

#[tokio::test]
async fn every_flag_has_an_environment_twin() {
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &[]).await;
    let mut command = metrics(&["--metrics-port", "0"]);
    command
        .env("NATS_URL", server.url())
        .env("METRICS_COMPONENT", "my_component")
        .env("METRICS_ENDPOINT", "my_endpoint")
        .env("METRICS_NAMESPACE", "dynamo")
        .env("METRICS_POLL_INTERVAL", "200ms");
    let mut program = Program::start("metrics", command);
    program.says(&["INFO", TARGET, "1 worker", "answer"]).await;

    let help = finish(metrics(&["--help"])).await;
    assert_eq!(help.code, Some(0));
    let is_flag = |line: &&str| line.starts_with("      --") || line.starts_with("  -s, --");
    let flags: Vec<&str> = help.stdout.lines().filter(is_flag).collect();
    assert!(flags.len() > 10, "{flags:?}");
    // As in the nats CLI.
    let without = ["--tlsfirst", "--inbox-prefix", "--no-context"];
    assert_eq!(
        help.stdout.matches("[env: ").count() + without.len(),
        flags.len(),
        "one for each of {flags:#?}"
    );
}

/// A collector that needs no variable.
fn collector(server: &NatsServer) -> tokio::process::Command {
    let target = ["--target", TARGET, "--metrics-port", "0"];
    metrics(&[target.as_slice(), &["--server", server.url()]].concat())
}

/// The names of the variables that a help text shows.
fn variables(help: &str) -> Vec<&str> {
    help.split("[env: ")
        .skip(1)
        .filter_map(|rest| rest.split(['=', ']']).next())
        .collect()
}

#[tokio::test]
async fn an_empty_variable_is_an_unset_one() {
    let server = NatsServer::start().await;
    for (program, arguments) in [
        ("metrics", ["list"].as_slice()),
        ("mock-worker", &["run", "idle", "--duration", "100ms"]),
        ("mock-worker", &["simulate", "idle", "--duration", "1s"]),
    ] {
        let command = || {
            let mut command = built(program);
            command.args(arguments);
            if arguments[0] != "simulate" {
                command.args(["--server", server.url()]);
            }
            command
        };
        let mut asked = built(program);
        asked.args([arguments, &["--help"]].concat());
        let help = finish(asked).await.stdout;
        let names = variables(&help);
        assert!(names.len() > 3, "{help}");
        let unset = finish(command()).await;
        let mut with_empty = command();
        with_empty.env("RUST_LOG", "");
        for name in names.iter().filter(|name| **name != "NATS_URL") {
            with_empty.env(name, "");
        }
        let empty = finish(with_empty).await;
        assert_eq!(empty.code, unset.code, "{names:?}: {empty:?}");
        assert_eq!(
            empty.code,
            Some(if program == "metrics" { 3 } else { 0 }),
            "{empty:?}"
        );
    }
    let mut command = collector(&server);
    for name in variables(&finish(metrics(&["--help"])).await.stdout) {
        command.env(name, "");
    }
    Program::start("metrics", command).says(&["serving"]).await;
}

#[tokio::test]
async fn variables_that_kubernetes_sets_for_a_service_do_not_end_the_program() {
    let server = NatsServer::start().await;
    let mut command = collector(&server);
    for service in ["METRICS", "METRICS_HTTP", "MOCK_WORKER", "NATS"] {
        for (end, value) in [
            ("PORT", "tcp://10.0.0.7:80"),
            ("SERVICE_PORT", "80"),
            ("SERVICE_HOST", "10.0.0.7"),
            ("PORT_80_TCP", "tcp://10.0.0.7:80"),
        ] {
            command.env(format!("{service}_{end}"), value);
        }
    }
    Program::start("metrics", command).says(&["serving"]).await;
}
