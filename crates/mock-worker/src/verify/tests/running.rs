//! The whole of it: flags, a page over HTTP, a truth in a file, and promises.

use std::io::{Read, Write};
use std::net::TcpListener;

use protocol::text::causes;

use super::*;

/// Serves a page once over HTTP and verifies it.
fn run_on(page: String, truth: Option<&str>, expect: Option<&Expect>) -> anyhow::Result<bool> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let metrics = format!("http://{}/metrics", listener.local_addr()?);
    let server = std::thread::spawn(move || -> std::io::Result<Vec<u8>> {
        let (mut connection, _) = listener.accept()?;
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            connection.read_exact(&mut byte)?;
            request.extend(byte);
        }
        let length = page.len();
        write!(
            connection,
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{page}"
        )?;
        Ok(request)
    });
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(truth.unwrap_or_default().as_bytes())?;
    let args = VerifyArgs {
        metrics,
        truth: truth.map(|_| file.path().to_owned()),
        pool: None,
        json: false,
    };
    let result = run(&args, expect, &|_| {});
    let request = server.join().expect("the server is well")?;
    assert!(
        String::from_utf8_lossy(&request).contains("text/plain"),
        "the classic format is asked for"
    );
    result
}

#[test]
fn a_page_is_fetched_and_compared_with_a_file_that_still_grows() {
    let line = serde_json::to_string(&record("7", 0.1, LOAD)).expect("it is JSON");
    let growing = format!("{line}\n{}", &line[..line.len() / 2]);
    let text = || page(&[("7", LOAD)]);
    assert!(run_on(text(), Some(&growing), None).expect("all can be read"));
    assert!(!run_on(page(&[("7", changed(2, 2.0))]), Some(&growing), None).expect("all can be read"));
    let error = run_on(text(), Some("{}\n"), None).expect_err("it is not a record");
    assert!(
        causes(error.as_ref()).contains("line 1 is not a record: missing field"),
        "{error:?}"
    );
    let error = run_on("no page".to_owned(), None, None).expect_err("it is no page");
    assert!(
        causes(error.as_ref()).contains("line 1 of the page is not a sample"),
        "{error:?}"
    );
}

#[test]
fn promises_are_held_at_the_time_that_the_page_shows() {
    let line = serde_json::to_string(&record("7", 0.1, LOAD)).expect("it is JSON");
    let holds = |truth: Option<&str>, times: &str| {
        let json = format!(r#"{{"bound": [{{"metric": "llm_pool_requests_waiting", "min": 2{times}}}]}}"#);
        let expect: Expect = serde_json::from_str(&json).expect("it is well written");
        run_on(page(&[("7", LOAD)]), truth, Some(&expect)).expect("all can be read")
    };
    assert!(!holds(Some(&line), ""));
    assert!(!holds(Some(&line), r#", "from": "59s""#));
    assert!(holds(Some(&line), r#", "from": "60s""#));
    assert!(!holds(None, ""));
    assert!(holds(None, r#", "from": "59s""#), "the time is unknown");
}

#[test]
fn the_flags_are_read() {
    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        verify: VerifyArgs,
    }
    let parse = |args: &[&str]| <Flags as clap::Parser>::try_parse_from(["verify"].iter().chain(args));
    let flags = parse(&[
        "--metrics",
        "http://127.0.0.1:9091/metrics",
        "--pool",
        "n.c.e",
        "--json",
    ]);
    let verify = flags
        .map_err(|error| error.to_string())
        .expect("they are well written")
        .verify;
    assert!(verify.json && verify.truth.is_none());
    assert_eq!(verify.pool.map(|pool| pool.to_string()).as_deref(), Some("n/c/e"));
    assert!(parse(&[]).is_err(), "without a page there is nothing to verify");
    assert!(parse(&["--metrics", "127.0.0.1:9091"]).is_err());
}
