//! `metrics top`: in a real terminal, from a collector or without one, and printed once.

use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tests::{
    Authority, Collector, NatsServer, Terminal, Tmux, Workers, eventually, finish, free_port, metrics, tools,
};

use crate::TARGET;

/// Columns and rows of a terminal.
const SIZE: (u16, u16) = (140, 36);

fn tmux(test: &str) -> Option<PathBuf> {
    tools::program("E2E_TMUX", test)
}

/// Whether the row of the pool shows so many fresh workers, and all figures are current.
fn has_fresh<'a>(count: &'a str) -> impl Fn(&str) -> bool + 'a {
    move |screen| {
        let is_row = |line: &str| line.contains(TARGET) && line.contains(count);
        screen.lines().any(is_row) && !screen.contains("OLD:")
    }
}

#[tokio::test]
async fn a_person_drills_down_filters_resizes_and_sees_an_outage_come_and_go() {
    let test = "a_person_drills_down_filters_resizes_and_sees_an_outage_come_and_go";
    let Some(tmux) = tmux(test) else { return };
    let mut server = NatsServer::start_on(free_port()).await;
    let _workers = Workers::start(&server, &["--workers", "3"]).await;
    let collector = Collector::watching(&server, TARGET, &["--gone-after", "1000"]).await;
    collector.has_workers(3).await;

    let top = metrics(&["top", "--attach", collector.url()]);
    let terminal = Tmux::start(&tmux, &top, SIZE).await;
    let screen = terminal.shows("the pool is shown", has_fresh("3/3")).await;
    assert!(
        screen.contains(&format!("collector {}", collector.url())),
        "{screen}"
    );

    terminal.keys(&["Enter"]).await;
    terminal
        .shows("the pool's workers are shown", |screen| {
            screen.contains("[2 Pool]") && screen.contains("KV use") && screen.contains("WORKER")
        })
        .await;
    terminal.keys(&["/", "n", "o", "n", "e", "Enter"]).await;
    terminal
        .shows("the filter leaves nothing", |screen| {
            screen.contains("filter \"none\": 0 of 3")
        })
        .await;
    terminal.keys(&["Escape"]).await;
    terminal
        .shows("all workers are back", |screen| {
            screen.contains("[2 Pool]") && !screen.contains("filter \"")
        })
        .await;
    terminal.keys(&["Enter"]).await;
    terminal
        .shows("a worker is shown", |screen| {
            screen.contains("[3 Worker]") && screen.contains("In hexadecimal")
        })
        .await;

    terminal.resize(80, 24).await;
    terminal
        .shows("the screen fits the smaller terminal", |screen| {
            let lines: Vec<&str> = screen.lines().collect();
            lines.len() == 24 && lines[23].contains("q quit") && lines[1].contains("[3 Worker]")
        })
        .await;
    terminal.keys(&["1"]).await;
    terminal
        .shows("the pool fits, too", |screen| {
            screen.contains("[1 Pools]") && screen.contains("3/3")
        })
        .await;
    terminal.resize(SIZE.0, SIZE.1).await;

    server.stop().await;
    terminal
        .shows("the outage is on the banner", |screen| {
            screen.contains("OLD: the connection to NATS is lost")
        })
        .await;
    server.start_again().await;
    terminal
        .shows("the pool is current again", has_fresh("3/3"))
        .await;

    terminal.keys(&["q"]).await;
    let left = terminal.ended().await;
    assert!(left.screen.contains("ended with 0"), "{left:?}");
    assert!(left.has_settings && left.is_ordinary, "{left:?}");
}

#[tokio::test]
async fn without_a_collector_it_gathers_by_itself_and_every_signal_leaves_the_terminal_as_it_was() {
    let test = "without_a_collector_it_gathers_by_itself_and_every_signal_leaves_the_terminal_as_it_was";
    let Some(tmux) = tmux(test) else { return };
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["--workers", "2"]).await;
    for (signal, mouse) in [(Signal::TERM, true), (Signal::INT, false), (Signal::HUP, false)] {
        let mut arguments = vec!["top", "--server", server.url(), "--interval", "200ms"];
        if mouse {
            arguments.push("--mouse");
        }
        let terminal = Tmux::start(&tmux, &metrics(&arguments), SIZE).await;
        let screen = terminal.shows("the pool is shown", has_fresh("2/2")).await;
        assert!(screen.contains("without a collector, from nats://"), "{screen}");
        kill_process(Pid::from_raw(terminal.pid()).expect("a process"), signal).expect("it runs");
        let left = terminal.ended().await;
        assert!(left.screen.contains("ended with 0"), "{signal:?}: {left:?}");
        assert!(left.has_settings && left.is_ordinary, "{signal:?}: {left:?}");
    }
}

#[tokio::test]
async fn once_prints_the_pools_from_a_collector_and_without_one() {
    let server = NatsServer::start().await;
    let empty = NatsServer::start().await;
    let _workers = Workers::start(&server, &["--workers", "2"]).await;
    let collector = Collector::watching(&server, TARGET, &[]).await;
    collector.has_workers(2).await;
    for from in [["--attach", collector.url()], ["--server", server.url()]] {
        let printed = finish(metrics(&[&["top", "--once"], &from[..]].concat())).await;
        assert_eq!(printed.code, Some(0), "{printed:?}");
        // A problem above the table may name the pool too.
        let is_row = |line: &str| line.contains(TARGET) && line.contains("2/2");
        assert!(printed.stdout.lines().any(is_row), "{printed:?}");
        assert!(printed.stdout.starts_with("NATS connected; "), "{printed:?}");
        let json = finish(metrics(&[&["top", "--once", "--json"], &from[..]].concat())).await;
        let overview: Value = serde_json::from_str(&json.stdout).expect("it is JSON");
        assert_eq!(overview["pools"][0]["members"]["fresh"], 2, "{json:?}");
    }
    let printed = finish(metrics(&["top", "--once", "--server", empty.url()])).await;
    assert_eq!(printed.code, Some(3), "{printed:?}");
}

#[tokio::test]
async fn it_attaches_to_a_unix_socket_and_to_a_page_whose_ca_is_named() {
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["--workers", "2"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let write = |name: &str, text: &str| std::fs::write(path(name), text).expect("it is written");
    let authority = Authority::new("ours");
    let identity = authority.server(&["127.0.0.1"]);
    write("ca.pem", &authority.pem());
    write("server.pem", &identity.certificate);
    write("server.key", &identity.key);
    write(
        "web.yml",
        "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n",
    );
    let socket = format!("unix:{}", path("page.sock"));
    let listen = ["--listen", "127.0.0.1:0", "--listen", &socket];
    let _plain = Collector::watching(&server, TARGET, &listen).await;
    let secured = Collector::watching(&server, TARGET, &["--web.config.file", &path("web.yml")]).await;

    let once = async |flags: &[&str]| finish(metrics(&[&["top", "--once"], flags].concat())).await;
    let (url, ca) = (secured.url(), path("ca.pem"));
    for flags in [
        &["--attach", &socket][..],
        &["--attach", url, "--attach-tlsca", &ca],
    ] {
        eventually("the pool is printed", async || {
            let printed = once(flags).await;
            match printed.stdout.contains("2/2 workers fresh") {
                true => Ok(()),
                false => Err(format!("{flags:?}: {printed:?}")),
            }
        })
        .await;
    }
    let refused = once(&["--attach", url]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("--attach-tlsca FILE"), "{refused:?}");
    let mut local = metrics(&["top", "--once"]);
    local.env("METRICS_LISTEN", &socket);
    let printed = finish(local).await;
    assert!(printed.stdout.contains("2/2 workers fresh"), "{printed:?}");
}

#[tokio::test]
async fn the_page_of_this_machine_comes_before_nats_and_nats_where_there_is_none() {
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["--workers", "2"]).await;
    let collector = Collector::watching(&server, TARGET, &[]).await;
    collector.has_workers(2).await;
    let (_, page) = collector.url().rsplit_once(':').expect("it has a port");
    let (nothing, nowhere) = (
        free_port().to_string(),
        format!("nats://127.0.0.1:{}", free_port()),
    );
    for (port, nats) in [(page, nowhere.as_str()), (&nothing, server.url())] {
        let mut command = metrics(&["top", "--once"]);
        command.envs([("METRICS_HTTP_PORT_NUMBER", port), ("NATS_URL", nats)]);
        let printed = finish(command).await;
        assert!(printed.stdout.contains("2/2 workers fresh"), "{printed:?}");
    }
    let mut command = metrics(&["top", "--once"]);
    command.envs([("METRICS_HTTP_PORT_NUMBER", &nothing), ("NATS_URL", &nowhere)]);
    let failed = finish(command).await;
    assert_eq!(failed.code, Some(7), "{failed:?}");
    for part in [
        "no collector answers at http://127.0.0.1:",
        "cannot be reached",
        "--attach",
    ] {
        assert!(failed.stderr.contains(part), "{part} in {failed:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_shown_is_refused_with_what_can_be_done() {
    let refused = async |arguments: &[&str], code: i32, parts: &[&str]| {
        let seen = finish(metrics(arguments)).await;
        assert_eq!(seen.code, Some(code), "{arguments:?}: {seen:?}");
        for part in parts {
            assert!(seen.stderr.contains(part), "{arguments:?}: {part} in {seen:?}");
        }
        assert!(!seen.stderr.contains("secret"), "{seen:?}");
    };
    refused(&["top"], 2, &["stdout is not one", "`metrics top --once`"]).await;
    let wrong = ["top", "--once", "--attach", "http://me:secret@host:99999"];
    refused(&wrong, 2, &["--attach", "http://metrics:9091"]).await;
    let absent = format!("http://me:secret@127.0.0.1:{}", free_port());
    let absent = ["top", "--once", "--attach", &absent];
    refused(
        &absent,
        1,
        &["failed to read the collector", "Connection refused"],
    )
    .await;
    let nats = format!("nats://127.0.0.1:{}", free_port());
    let nowhere = ["top", "--once", "--server", &nats];
    refused(&nowhere, 7, &["cannot be reached", "--server"]).await;
}

#[tokio::test]
async fn no_color_forbids_colours_and_the_banner_is_seen_without_them() {
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &[]).await;
    let shown = async |no_color: &str| {
        let mut command = metrics(&["top", "--server", server.url(), "--interval", "200ms"]);
        command.env("NO_COLOR", no_color);
        let terminal = Terminal::start(command);
        terminal.shows(TARGET).await
    };
    let has_colour = |text: &str| {
        let styles = text
            .split("\x1b[")
            .skip(1)
            .filter_map(|rest| rest.split_once('m'));
        let numbers = styles.flat_map(|(style, _)| style.split(';'));
        let is_colour = |number: u8| matches!(number, 30..=38 | 40..=48 | 90..=107);
        numbers.filter_map(|number| number.parse().ok()).any(is_colour)
    };
    assert!(has_colour(&shown("").await));
    assert!(!has_colour(&shown("1").await));
}
