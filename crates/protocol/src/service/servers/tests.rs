//! Tests of [`Servers`].

use super::parse::MORE_THAN_A_HOST;
use super::*;
use crate::service::Secret;

fn secrets(text: &str) -> (String, Option<(String, String)>) {
    let servers: Servers = text.parse().expect(text);
    let shown = servers.to_string();
    let read = |secret: &Secret| secret.read().expect("a text");
    let secrets = servers.login().map(|login| match login {
        Login::User { name, password } => (read(name), read(password)),
        Login::Token(token) => ("token".to_owned(), read(token)),
        other => panic!("{other:?}"),
    });
    (shown, secrets)
}

#[test]
fn credentials_are_taken_out_of_the_address() {
    fn check(text: &str, shown: &str, expected: Option<(&str, &str)>) {
        let expected = expected.map(|(name, secret)| (name.to_owned(), secret.to_owned()));
        assert_eq!(secrets(text), (shown.to_owned(), expected));
    }
    check("127.0.0.1", "nats://127.0.0.1", None);
    check(
        "nats://me:p%40ss@host:4222",
        "nats://host:4222",
        Some(("me", "p@ss")),
    );
    check("tls://t0ken@host", "tls://host", Some(("token", "t0ken")));
    check(
        "nats://a:1, nats://u:p@b:2",
        "nats://a:1,nats://b:2",
        Some(("u", "p")),
    );
    check("nats://me:100%@host", "nats://host", Some(("me", "100%")));
}

/// All that may be written to a log or a terminal for this text.
fn outputs(text: &str) -> Vec<String> {
    let mut outputs = vec![Servers::redact(text)];
    match text.parse::<Servers>() {
        Ok(servers) => {
            outputs.extend([format!("{servers}"), format!("{servers:?}")]);
            outputs.extend(servers.addresses().iter().map(|address| format!("{address:?}")));
        }
        Err(error) => outputs.extend([format!("{error}"), format!("{error:?}")]),
    }
    outputs
}

fn assert_hidden(text: &str) {
    for output in outputs(text) {
        assert!(
            !output.to_lowercase().contains("secret"),
            "{text:?} shows {output:?}"
        );
    }
}

#[test]
fn what_is_no_address_is_refused_without_showing_it() {
    fn check(text: &str, expected: &str) {
        let error = text.parse::<Servers>().expect_err(text).to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
        assert_hidden(text);
    }
    check("", "no host");
    check("a,,b", "remove the comma");
    check("nats://me:secret@a,", "remove the comma");
    check(",a", "remove the comma");
    check("\"nats://me:secret@a\"", "in quotes");
    check("'a'", "in quotes");
    check("nats://a:1\"", "in quotes");
    check("::1", "in brackets, e.g. nats://[::1]:4222");
    check("nats://fe80::1:4222", "in brackets");
    check("ws://a,nats://b", "cannot be mixed");
    check("nats:///secret", "no host");
    check("http://me:secret@host", "scheme");
    check("secret://me@host", "scheme");
    check("nats://me:secret@host:port", "port");
    check("nats://svc:topsecret", "port");
    check("nats://svc:top,secret@h", "port");
    check("nats://me:secret@[::1", "not a valid URL");
    check("nats://me:secret@a b", "not a valid URL");
}

#[test]
fn a_path_query_or_fragment_is_refused_with_advice() {
    for text in [
        "nats://me:12/secret@h",
        "nats://me:12?secret@h",
        "nats://me:12#secret@h",
        "nats://h/secret",
        "nats://h//",
        "nats://h?token=secret",
        "nats://h?",
        "nats://h#x",
        "nats://h#",
        "nats:/svc:topsecret@h",
        "nats:\t//me:12/secret@h://",
        "nats://a,nats://h/secret",
    ] {
        assert_eq!(text.parse::<Servers>().expect_err(text), MORE_THAN_A_HOST);
        assert_hidden(text);
    }
    assert!(MORE_THAN_A_HOST.to_string().contains("percent-encode `/`"));
    assert_eq!(secrets("nats://h/").0, "nats://h/");
    assert_eq!(
        secrets("nats://me:a%2Fb%3F%23%2C@h"),
        (
            "nats://h".to_owned(),
            Some(("me".to_owned(), "a/b?#,".to_owned()))
        )
    );
}

#[test]
fn redaction_shows_plain_hosts_only() {
    fn check(text: &str, expected: &str) {
        assert_eq!(Servers::redact(text), expected, "{text:?}");
    }
    for plain in [
        "",
        "host",
        "a:1,tls://b-2.example:65535",
        "http://127.0.0.1:4222",
        "nats://[::1]:4222,[::1]",
    ] {
        check(plain, plain);
    }
    check(" a , b ", "a,b");
    check("me:secret@host", "***@host");
    check("nats://me:secret@host:4222", "***@host:4222");
    check("nats://me:secret@[::1]:4222", "***@[::1]:4222");
    check("nats://me:secret@a,nats://b:4222", "***@a,nats://b:4222");
    check("nats://a:4222,nats://me:secret@b", "***@b");
    check("nats://svc:topsecret,x@h", "***@h");
    check("nats://svc:a,topsecret,b@h", "***@h");
    check("nats://svc:a@topsecret,b@h", "***@h");
    check("nats:/svc:topsecret@h", "***@h");
    check("nats://me:secret@host:port,x", "***");
    for odd in [
        "svc:topsecret",
        "nats://svc:topsecret",
        "nats://svc:top,secret",
        "nats://svc:1,top/,secret",
        "nats://svc:1,,secret",
        "nats://svc:99999,secret",
        "nats://svc:+1,secret",
        "nats://svc:,secret",
        "nats:/svc:topsecret",
        "secret://host",
        "me@nats://secret",
        "h/secret",
        "h?token=secret",
        "h%73ecret",
        "sécret",
        "[secret]",
        "[::1]secret",
        "x[::1]:secret",
        "]:secret",
    ] {
        check(odd, "***");
    }
}

#[test]
fn no_combination_of_shapes_shows_a_secret() {
    fn check(text: &str) {
        // Here the secret is the host of a valid address.
        let is_host = |address: &ServerAddr| address.host().to_lowercase().contains("secret");
        let servers = text.parse::<Servers>();
        if !servers.is_ok_and(|servers| servers.addresses.iter().any(is_host)) {
            assert_hidden(text);
        }
    }
    let starts = [
        "",
        "nats://",
        "nats:/",
        "nats:",
        "ws://",
        "http://",
        "://",
        "a:1,nats://",
        "x://",
    ];
    let users = ["svc:", "svc:1,", "svc:1/", "svc:a@", "svc", ":", ""];
    let marks = [
        "", ",", "@", "/", "?", "#", ":", "%40", "://", " ", "\t", "\\", ";",
    ];
    let ends = [
        "@h", "@h:4222", "@h:port", "@h,b:1", "@h/", "@[::1]:1", "@h,x y", "@", "@,", "@h,c@d",
    ];
    for start in starts {
        for user in users {
            for before in marks {
                for after in marks {
                    for end in ends {
                        check(&format!("{start}{user}{before}Secret{after}{end}"));
                    }
                    // The text after an `@` is the host.
                    if before != "@" {
                        check(&format!("{start}svc:{before}Secret{after}"));
                    }
                }
            }
        }
    }
}

#[test]
fn the_first_attempt_is_at_once_and_the_pauses_are_bounded() {
    assert_eq!(reconnect_delay(1), Duration::ZERO);
    for attempt in 0..100 {
        assert!(reconnect_delay(attempt) <= MAX_DELAY);
    }
    assert!(reconnect_delay(100) >= MAX_DELAY / 2);
}

#[test]
fn websockets_and_ipv6_are_addresses() {
    assert_eq!(
        secrets("wss://me:p@h:443,ws://[::1]:8080").0,
        "wss://h/,ws://[::1]:8080/"
    );
    let servers: Servers = "tls://[::1]".parse().expect("an address");
    assert_eq!(
        (servers.addresses()[0].host(), servers.addresses()[0].port()),
        ("::1", 4222)
    );
    assert_eq!(secrets("ab:4222"), ("nats://ab:4222".to_owned(), None));
}

#[test]
fn tls_is_not_asked_for_on_an_address_without_it() {
    let check = |text: &str| text.parse::<Servers>().expect(text).with_tls_first().check();
    assert!(check("nats://a").is_ok() && check("wss://a").is_ok());
    let error = check("ws://a").expect_err("it is not encrypted").to_string();
    assert!(error.contains("write wss://"), "{error}");
}

#[test]
fn an_inbox_prefix_is_the_beginning_of_subjects() {
    let servers: Servers = "a".parse().expect("an address");
    assert_eq!(servers.inbox_prefix(), "_INBOX");
    let servers = servers.with_inbox_prefix("_INBOX_me.x").expect("a prefix");
    assert_eq!(servers.inbox_prefix(), "_INBOX_me.x");
    for wrong in ["", "a.", ".a", "a b", "a.>", "*"] {
        assert!(servers.clone().with_inbox_prefix(wrong).is_err(), "{wrong}");
    }
}
