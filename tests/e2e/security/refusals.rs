//! What is said to a user who is refused: what the server wants, what was given, and what to do.

use tests::{
    Access, Account, Files, NatsServer, Operator, Program, Setup, built, finish, free_port, metrics,
};

use super::{
    PASSWORD, PASSWORD_CONFIG, REFUSED, UNREACHABLE, USAGE, collector, conceals, is_refused, repeats_nothing,
};
use crate::TARGET;

#[tokio::test]
async fn wrong_logins_are_said_to_be_that_and_name_what_was_given() {
    let server = NatsServer::set_up(&Setup::config(PASSWORD_CONFIG)).await;
    let (at, files) = (Access::at(server.url()), Files::new());
    let user = Account::new().user();
    let check = async |kind: &str, access: &Access, parts: &[&str]| {
        let secrets = ["pw-wrong", "tok-wrong", &user.seed, &user.jwt];
        is_refused(kind, access, REFUSED, parts, &secrets).await;
    };
    check(
        "nothing",
        &at,
        &[
            "refuses",
            "asks for a login, and none is given",
            "user and password",
        ],
    )
    .await;
    let access = at.clone().with("--user", "app").with("--password", "pw-wrong");
    check("a wrong password", &access, &["refuses", "user and password"]).await;
    check(
        "a token",
        &at.clone().with("--token", "tok-wrong"),
        &["refuses", "token"],
    )
    .await;
    let nkey = files.put("user.nk", &user.seed);
    check(
        "an nkey",
        &at.clone().with("--nkey", nkey),
        &["refuses", "nkey", "user and password"],
    )
    .await;
    let creds = files.put("user.creds", &user.creds());
    check(
        "creds",
        &at.clone().with("--creds", creds),
        &["refuses", "creds", "user and password"],
    )
    .await;
}

#[tokio::test]
async fn an_operator_refuses_users_of_other_accounts_and_what_is_no_jwt() {
    let (operator, account, files) = (Operator::new(), Account::new(), Files::new());
    let stranger = Account::new().user();
    let server = NatsServer::set_up(&Setup::config(operator.config(&[&account]))).await;
    let at = Access::at(server.url());
    let secrets = [&*stranger.seed, &stranger.jwt, "pw-wrong"];
    let creds = at
        .clone()
        .with("--creds", files.put("other.creds", &stranger.creds()));
    is_refused("a stranger", &creds, REFUSED, &["refuses", "creds"], &secrets).await;
    is_refused(
        "nothing",
        &at,
        REFUSED,
        &["refuses", "none is given", "nkeys or creds"],
        &secrets,
    )
    .await;
    let password = at.with("--user", "app").with("--password", "pw-wrong");
    is_refused(
        "a password",
        &password,
        REFUSED,
        &["refuses", "nkeys or creds"],
        &secrets,
    )
    .await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_and_not_shown() {
    const SECRET: &str = "SUACSECRETSECRET";
    let server = NatsServer::set_up(&Setup::config(PASSWORD_CONFIG)).await;
    let (at, files) = (Access::at(server.url()), Files::new());
    let bad = files.put("bad", &format!("-----BEGIN NATS USER JWT-----\n{SECRET}\n"));
    for flag in ["--creds", "--nkey", "--tlsca"] {
        let missing = at
            .clone()
            .with(flag, files.path("missing").to_str().expect("UTF-8"));
        is_refused(flag, &missing, USAGE, &["missing", "No such file"], &[SECRET]).await;
        is_refused(flag, &at.clone().with(flag, &bad), USAGE, &[&bad], &[SECRET]).await;
    }
    let missing = at
        .with("--user", "app")
        .with("--password-file", "/nonexistent/password");
    is_refused(
        "--password-file",
        &missing,
        USAGE,
        &["/nonexistent/password", "No such file"],
        &[],
    )
    .await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_one_cause_in_one_line() {
    let access = Access::at(&format!("nats://127.0.0.1:{}", free_port()));
    let list = is_refused(
        "nothing listens",
        &access,
        UNREACHABLE,
        &["Connection refused"],
        &[],
    )
    .await;
    assert_eq!(list.stderr.matches("Connection refused").count(), 1, "{list:?}");

    let mut command = metrics(&["--target", TARGET, "--metrics-port", "0"]);
    access.by_flags(&mut command);
    let mut program = Program::start("metrics", command);
    let line = program.says(&["Connection refused"]).await;
    assert_eq!(line.matches("Connection refused").count(), 1, "{line}");

    let mut command = built("mock-worker");
    access.by_flags(&mut command);
    let mut program = Program::start("mock-worker", command);
    let line = program.says(&["Connection refused"]).await;
    assert_eq!(line.matches("Connection refused").count(), 1, "{line}");
}

#[tokio::test]
async fn no_responders_is_said_once() {
    let server = NatsServer::start().await;
    let ended = async |program: &str, arguments: &[&str], code: i32| {
        let mut command = built(program);
        command.args(arguments).args(["--server", server.url()]);
        let ended = finish(command).await;
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        for line in ended.stdout.lines().chain(ended.stderr.lines()) {
            assert!(
                line.to_lowercase().matches("no responders").count() <= 1,
                "{line}"
            );
            repeats_nothing(line);
        }
        ended
    };
    let control = ended("mock-worker", &["ctl", "status"], 1).await;
    assert_eq!(control.stderr.matches("no responders").count(), 1, "{control:?}");
    for arguments in [
        &["list", "--listen-for", "0s"][..],
        &["explain", TARGET, "--listen-for", "0s"],
    ] {
        ended("metrics", arguments, 3).await;
    }
    ended("metrics", &["doctor", TARGET, "--listen-for", "0s"], 3).await;

    let mut collector = collector(&Access::at(server.url()), &[]).await;
    collector
        .shows("a round without responders", |page| {
            page.sum("llm_collector_rounds_total", &[("finish", "no_responders")]) >= 1.0
        })
        .await;
    let line = collector.program().says(&["no worker of", TARGET]).await;
    assert!(line.matches("no service answered").count() == 1, "{line}");
    for line in collector.program().log() {
        assert!(
            line.to_lowercase().matches("no responders").count() <= 1,
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_page_that_cannot_be_fetched_is_one_cause_in_one_line() {
    let files = Files::new();
    let truth = files.put("truth.jsonl", "");
    let mut command = built("mock-worker");
    let page = format!("http://127.0.0.1:{}/metrics", free_port());
    command.args(["verify", "--metrics", &page, "--truth", &truth]);
    let ended = finish(command).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stderr.matches("Connection refused").count(), 1, "{ended:?}");
    repeats_nothing(&ended.stderr);
}

#[tokio::test]
async fn programs_that_run_on_end_when_they_are_never_let_in() {
    let server = NatsServer::set_up(&Setup::config(PASSWORD_CONFIG)).await;
    let access = Access::at(server.url())
        .with("--user", "app")
        .with("--password", "pw-wrong");
    for (name, arguments) in [
        ("metrics", &["--target", TARGET, "--metrics-port", "0"][..]),
        ("mock-worker", &[]),
    ] {
        let mut command = built(name);
        command.args(arguments);
        access.by_environment(&mut command);
        let ended = finish(command).await;
        assert_eq!(ended.code, Some(REFUSED), "{name}: {ended:?}");
        assert!(ended.stderr.contains("refuses"), "{ended:?}");
        repeats_nothing(&ended.stderr);
        conceals(&format!("{ended:?}"), &["pw-wrong", PASSWORD]);
    }
}
