//! What to do about an error that the server reports.

/// Part of the error in lower case, and its remedy.
const REMEDIES: [(&str, &str); 12] = [
    (
        "maximum subscriptions exceeded",
        "raise `max_subscriptions` for the server, account or user, or close other clients of this user",
    ),
    (
        "maximum account active connections exceeded",
        "raise the account's limit on connections, or close other clients",
    ),
    (
        "maximum connections exceeded",
        "raise `max_connections` of the server, or close other clients",
    ),
    (
        "maximum payload violation",
        "raise `max_payload` of the server, or send smaller messages",
    ),
    (
        "maximum control line exceeded",
        "raise `max_control_line` of the server, or use shorter subjects",
    ),
    (
        "slow consumer",
        "this program reads too slowly: give it more CPU or a faster network, or raise `write_deadline` and `max_pending` of the server",
    ),
    (
        "authentication timeout",
        "the login took too long: check the network and the load of the server, or raise `timeout` in its `authorization`",
    ),
    (
        "authentication expired",
        "the credentials are no longer valid: renew them, and start again with the new ones",
    ),
    (
        "authentication revoked",
        "the credentials are revoked: start again with new ones",
    ),
    (
        "stale connection",
        "this program or the network did not answer the server's pings in time",
    ),
    (
        "secure connection",
        "the server and the address do not agree on TLS: use tls:// in the address, or nats:// without TLS",
    ),
    (
        "invalid subject",
        "the server does not accept this subject: check the names of the workers",
    ),
];

/// What to do about it, where that is known.
pub(crate) fn remedy(error: &str) -> Option<&'static str> {
    let error = error.to_ascii_lowercase();
    let known = REMEDIES.iter().find(|(part, _)| error.contains(part));
    known.map(|(_, remedy)| *remedy)
}

/// `; ` and the remedy, or nothing: the end of a message.
pub(crate) fn advice(error: &str) -> String {
    remedy(error).map_or_else(String::new, |remedy| format!("; {remedy}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_that_an_operator_can_mend_has_a_remedy() {
        fn check(error: &str, expected: &str) {
            let remedy = remedy(error).expect(error);
            assert!(remedy.contains(expected), "{error}: {remedy}");
        }
        check("maximum subscriptions exceeded", "max_subscriptions");
        check("Maximum Payload Violation", "max_payload");
        check("maximum connections exceeded", "max_connections");
        check("maximum account active connections exceeded", "account");
        check("Slow Consumer", "write_deadline");
        check("Authentication Timeout", "timeout");
        check("User Authentication Expired", "renew");
        check("Stale Connection", "pings");
        assert_eq!(remedy("the moon is full"), None);
        assert_eq!(advice("the moon is full"), "");
    }
}
