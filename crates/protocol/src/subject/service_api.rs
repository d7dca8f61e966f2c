//! The subjects of the NATS micro protocol: how services are asked, under whichever [`ServicePrefix`].

use crate::ServicePrefix;

/// Under which every NATS service answers that a client library serves.
const USUAL: &str = "$SRV";

impl Default for ServicePrefix {
    fn default() -> Self {
        USUAL.parse().expect("it is a token")
    }
}

impl ServicePrefix {
    /// The subject that every service answers with its counters and load.
    pub fn stats(&self) -> String {
        format!("{self}.STATS")
    }

    /// The subject that asks one service instance for its statistics.
    ///
    /// `None` if the reply names its service or itself with something that no subject carries, so a hostile reply cannot
    /// make a client publish elsewhere.
    ///
    /// ```
    /// let prefix = protocol::ServicePrefix::default();
    /// assert_eq!(prefix.stats_of("svc", "5hkw").as_deref(), Some("$SRV.STATS.svc.5hkw"));
    /// assert_eq!(prefix.stats_of("svc", ">"), None);
    /// ```
    pub fn stats_of(&self, service: &str, instance: &str) -> Option<String> {
        can_be_asked(service, instance).then(|| format!("{self}.STATS.{service}.{instance}"))
    }

    /// The subject that asks one service instance for its description; `None` as for [`stats_of`](Self::stats_of).
    ///
    /// ```
    /// let prefix: protocol::ServicePrefix = "acct.$SRV".parse()?;
    /// assert_eq!(prefix.info_of("svc", "5hkw").as_deref(), Some("acct.$SRV.INFO.svc.5hkw"));
    /// # Ok::<(), protocol::NameError>(())
    /// ```
    pub fn info_of(&self, service: &str, instance: &str) -> Option<String> {
        can_be_asked(service, instance).then(|| format!("{self}.INFO.{service}.{instance}"))
    }

    /// The subject that asks all instances of a service for their descriptions; `None` as for
    /// [`stats_of`](Self::stats_of).
    ///
    /// ```
    /// let prefix = protocol::ServicePrefix::default();
    /// assert_eq!(prefix.info_of_service("svc").as_deref(), Some("$SRV.INFO.svc"));
    /// assert_eq!(prefix.info_of_service("a.b"), None);
    /// ```
    pub fn info_of_service(&self, service: &str) -> Option<String> {
        is_token(service).then(|| format!("{self}.INFO.{service}"))
    }

    /// All requests for statistics but that to all services, as a pattern.
    pub fn stats_of_any(&self) -> String {
        format!("{self}.STATS.>")
    }

    /// All requests for descriptions, as a pattern.
    pub fn info_of_any(&self) -> String {
        format!("{self}.INFO.>")
    }

    /// What a collector publishes to when it asks services: all of them, and single ones.
    pub fn asking(&self) -> [String; 3] {
        [self.stats(), self.stats_of_any(), self.info_of_any()]
    }

    /// All subjects of the protocol, as a pattern.
    pub fn all(&self) -> String {
        format!("{self}.>")
    }

    /// The nine subjects that one service instance answers: each verb for all services, for those of its name, and for
    /// itself.
    ///
    /// ```
    /// let subjects = protocol::ServicePrefix::default().asked_of("svc", "5hkw");
    /// assert_eq!(subjects[..3], ["$SRV.PING", "$SRV.PING.svc", "$SRV.PING.svc.5hkw"]);
    /// ```
    pub fn asked_of(&self, service: &str, instance: &str) -> Vec<String> {
        let levels = |verb| {
            [
                format!("{self}.{verb}"),
                format!("{self}.{verb}.{service}"),
                format!("{self}.{verb}.{service}.{instance}"),
            ]
        };
        ["PING", "INFO", "STATS"].into_iter().flat_map(levels).collect()
    }

    /// The subjects that together are all that a service is asked by, and nothing else: a verb for all services, for those
    /// of a name, and for one instance. A process that answers for many services subscribes to these three once.
    pub fn levels(&self) -> [String; 3] {
        [
            format!("{self}.*"),
            format!("{self}.*.*"),
            format!("{self}.*.*.*"),
        ]
    }
}

/// Whether an instance can be asked alone: subjects can carry its name and that of its service.
///
/// ```
/// assert!(protocol::subject::can_be_asked("svc", "5hkw"));
/// assert!(!protocol::subject::can_be_asked("svc", ">"));
/// ```
pub fn can_be_asked(service: &str, instance: &str) -> bool {
    is_token(service) && is_token(instance)
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= crate::MAX_NAME_BYTES
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// A request of the micro protocol, as its subject says it: what is asked, and of whom.
///
/// ```
/// use protocol::{ServicePrefix, subject::ServiceRequest};
/// let prefix = ServicePrefix::default();
/// let all = ServiceRequest::read("$SRV.STATS", &prefix).expect("a request");
/// assert!(all.verb == "STATS" && all.is_for("any", "one"));
/// let one = ServiceRequest::read("$SRV.INFO.svc.5hkw", &prefix).expect("a request");
/// assert!(one.verb == "INFO" && one.is_for("svc", "5hkw") && !one.is_for("svc", "other"));
/// assert_eq!(ServiceRequest::read("svc.gen-1f", &prefix), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceRequest<'a> {
    /// `PING`, `INFO` or `STATS`; later versions of the protocol may have others.
    pub verb: &'a str,
    /// The services that are asked; `None` for all.
    pub service: Option<&'a str>,
    /// The instance that is asked; `None` for all.
    pub instance: Option<&'a str>,
}

impl<'a> ServiceRequest<'a> {
    /// Reads a subject; `None` where it is not a request of the micro protocol under this prefix.
    pub fn read(subject: &'a str, prefix: &ServicePrefix) -> Option<Self> {
        let rest = subject.strip_prefix(prefix.as_str())?.strip_prefix('.')?;
        let mut tokens = rest.split('.');
        let verb = tokens.next()?;
        let (service, instance) = (tokens.next(), tokens.next());
        tokens.next().is_none().then_some(Self {
            verb,
            service,
            instance,
        })
    }

    /// Whether this instance of a service has to answer.
    pub fn is_for(&self, service: &str, instance: &str) -> bool {
        self.service.is_none_or(|asked| asked == service)
            && self.instance.is_none_or(|asked| asked == instance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_under_its_own_prefix_alone() {
        let prefix: ServicePrefix = "fleet.a".parse().expect("a prefix");
        let read = |subject| {
            let request = ServiceRequest::read(subject, &prefix)?;
            Some((request.verb, request.service, request.instance))
        };
        assert_eq!(read("fleet.a.PING"), Some(("PING", None, None)));
        assert_eq!(read("fleet.a.INFO.svc"), Some(("INFO", Some("svc"), None)));
        for other in [
            "$SRV.PING",
            "fleet.a",
            "fleet.PING",
            "fleet.ab.PING",
            "x.fleet.a.PING",
            "fleet.a.STATS.svc.id.more",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn every_subject_has_the_prefix() {
        let prefix: ServicePrefix = "acct.$SRV".parse().expect("a prefix");
        assert_eq!(
            prefix.asking(),
            ["acct.$SRV.STATS", "acct.$SRV.STATS.>", "acct.$SRV.INFO.>"]
        );
        assert_eq!(
            prefix.levels(),
            ["acct.$SRV.*", "acct.$SRV.*.*", "acct.$SRV.*.*.*"]
        );
        assert_eq!(prefix.all(), "acct.$SRV.>");
    }
}
