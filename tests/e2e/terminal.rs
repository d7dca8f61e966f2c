//! What is shown on a terminal: colours, unless `NO_COLOR` forbids them, and no escape at all where there are none.

use tests::{Files, NatsServer, Terminal, built, free_port, metrics};
use tokio::process::Command;

use crate::TARGET;

/// Whether a text sets a colour or another style: `ESC [ … m`.
fn has_style(text: &str) -> bool {
    text.split("\x1b[").skip(1).any(|rest| {
        rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';')
            .starts_with('m')
    })
}

/// What is shown up to the end of the program, or up to `until` where it runs on.
async fn shown(command: Command, until: Option<&str>) -> String {
    let terminal = Terminal::start(command);
    match until {
        Some(part) => terminal.shows(part).await,
        None => terminal.ended().await,
    }
}

/// The command shows colours, none with `NO_COLOR`, and on a terminal that takes none no escape at all.
async fn obeys_no_color(what: &str, command: impl Fn() -> Command, until: Option<&str>) {
    let with = async |name: &str, value: &str| {
        let mut command = command();
        command.env_remove("NO_COLOR").env(name, value);
        shown(command, until).await
    };
    let coloured = with("NO_COLOR", "").await;
    assert!(has_style(&coloured), "{what}: {coloured:?}");
    let plain = with("NO_COLOR", "1").await;
    assert!(plain.len() > 10 && !has_style(&plain), "{what}: {plain:?}");
    let dumb = with("TERM", "dumb").await;
    assert!(dumb.len() > 10 && !dumb.contains('\x1b'), "{what}: {dumb:?}");
}

fn called(program: &str, arguments: &[&str]) -> Command {
    let mut command = built(program);
    command.args(arguments);
    command
}

#[tokio::test]
async fn no_color_forbids_colours_in_help_and_in_what_is_said_of_a_wrong_command_line() {
    for program in ["metrics", "mock-worker"] {
        for arguments in [&["--help"][..], &["--nonsense"], &["--tlscert", "x"]] {
            let what = format!("{program} {arguments:?}");
            obeys_no_color(&what, || called(program, arguments), None).await;
        }
    }
}

#[tokio::test]
async fn no_color_forbids_colours_in_the_report_about_a_file() {
    let files = Files::new();
    let file = files.put("metrics.toml", "targt = 1\n");
    let check = || metrics(&["config", "check", &file]);
    obeys_no_color("config check", check, None).await;
    let load = || metrics(&["--config", &file]);
    obeys_no_color("a wrong file", load, None).await;
}

#[tokio::test]
async fn no_color_forbids_colours_in_the_log_and_in_the_last_error() {
    let absent = format!("nats://127.0.0.1:{}", free_port());
    let collector = || {
        let arguments = ["--target", TARGET, "--metrics-port", "0", "--server", &absent];
        metrics(&arguments)
    };
    obeys_no_color("the collector's log", collector, Some("Connection refused")).await;
    let workers = || called("mock-worker", &["--server", &absent]);
    obeys_no_color("the workers' log", workers, Some("Connection refused")).await;
    let control = || called("mock-worker", &["ctl", "status", "--server", &absent]);
    obeys_no_color("the workers' last error", control, None).await;
}

#[tokio::test]
async fn no_color_forbids_colours_in_what_doctor_finds() {
    let server = NatsServer::start().await;
    let doctor = || metrics(&["doctor", "--listen-for", "0s", "--server", server.url()]);
    obeys_no_color("doctor", doctor, None).await;
}

#[tokio::test]
async fn a_list_that_is_watched_replaces_itself_only_where_the_cursor_can_move() {
    let server = NatsServer::start().await;
    let _workers = tests::Workers::start(&server, &[]).await;
    let watched = async |term: &str| {
        let arguments = ["list", "--watch", "200ms", "--server", server.url()];
        let mut command = metrics(&arguments);
        command.env("TERM", term).env("NO_COLOR", "1");
        shown(command, Some("my_component")).await
    };
    let moving = watched("xterm").await;
    assert!(
        moving.contains("\x1b[H\x1b[J") && !has_style(&moving),
        "{moving:?}"
    );
    let dumb = watched("dumb").await;
    assert!(!dumb.contains('\x1b'), "{dumb:?}");
}

#[tokio::test]
async fn the_progress_of_a_simulation_replaces_itself_only_where_the_cursor_can_move() {
    let simulated = async |term: &str| {
        let mut command = called("mock-worker", &["simulate", "steady", "--duration", "5s"]);
        command.env("TERM", term).env("NO_COLOR", "1");
        shown(command, None).await
    };
    let moving = simulated("xterm").await;
    assert!(moving.contains("\r\x1b[K") && !has_style(&moving), "{moving:?}");
    let dumb = simulated("dumb").await;
    assert!(
        dumb.contains("simulated 5 s") && !dumb.contains('\x1b'),
        "{dumb:?}"
    );
}

#[tokio::test]
async fn running_workers_are_shown_in_a_table_where_the_cursor_can_move() {
    let server = NatsServer::start().await;
    let run = |term: &str, more: &[&str]| {
        let late = "fault=[{kind='late',select={first=1}}]";
        let mut command = called("mock-worker", &["run", "steady", "--share-name", "--set", late]);
        command.args(["--server", server.url()]).args(more);
        command.env("TERM", term).env("NO_COLOR", "1");
        command
    };
    let again = "\x1b[5A\r\x1b[J";
    let moving = shown(run("xterm", &[]), Some(again)).await;
    for part in [TARGET, "requests/s", "4 up", "fault 0: late with 1 worker"] {
        assert!(moving.contains(part), "no {part:?} in {moving:?}");
    }
    let ended = shown(run("xterm", &["--duration", "2s"]), None).await;
    let last = ended.rsplit(again).next().expect("a last part");
    assert!(ended.contains(again) && !last.contains("requests/s"), "{ended:?}");
    let quiet = shown(run("xterm", &["--duration", "2s", "--quiet"]), None).await;
    assert!(quiet.contains(" ready") && !quiet.contains('\x1b'), "{quiet:?}");
    let dumb = shown(run("dumb", &[]), Some("the workers run")).await;
    assert!(
        dumb.contains("faults=\"late\"") && !dumb.contains('\x1b'),
        "{dumb:?}"
    );
}
