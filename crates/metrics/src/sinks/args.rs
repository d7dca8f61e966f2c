//! The flags of sinks, and what they come to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use program::time::{Bounds, time_within};

use super::otlp::{Otlp, signal_url};
use super::publish::Shape;
use super::pushgateway::Pushgateway;
use super::receiver::Receiver;
use super::remote_write::RemoteWrite;
use crate::client::Trust;
use crate::config::Wrong;

/// Flags of the sinks. Each is off unless its address is given.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Push")]
pub struct PushArgs {
    /// Push the page to the Pushgateway of --push-url; setting --push-url alone is enough.
    #[arg(long, env = "METRICS_PUSH")]
    pub push: bool,

    /// A Prometheus Pushgateway to push the page to. Example: http://pushgateway:9091 or https://USER:PASSWORD@HOST:9091.
    #[arg(long, env = "METRICS_PUSH_URL", hide_env_values = true, value_name = "URL")]
    pub push_url: Option<String>,

    /// Mean time between two pushes to the Pushgateway, from 200ms to 1h. Each push waits for a new snapshot.
    #[arg(long, env = "METRICS_PUSH_INTERVAL", default_value = "15s", value_parser = time_within(INTERVAL), value_name = "TIME")]
    pub push_interval: Duration,

    /// Label `job` of everything that is pushed.
    #[arg(
        long,
        env = "METRICS_PUSH_JOB",
        default_value = "llm-metrics",
        value_parser = filled,
        value_name = "NAME"
    )]
    pub push_job: String,

    /// A further label of the Pushgateway's grouping key; may be repeated. `instance` is this host and the page's port unless
    /// it is given here.
    #[arg(
        long,
        env = "METRICS_PUSH_GROUPING",
        value_delimiter = ',',
        value_name = "NAME=VALUE"
    )]
    pub push_grouping: Vec<Pair>,

    /// Delete what was pushed from the Pushgateway at shutdown; otherwise it keeps the last values indefinitely.
    #[arg(long, env = "METRICS_PUSH_DELETE")]
    pub push_delete: bool,

    /// A receiver of Prometheus' remote write. Example: http://prometheus:9090/api/v1/write, with USER:PASSWORD@ before the
    /// host for basic authentication.
    #[arg(
        long,
        env = "METRICS_REMOTE_WRITE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub remote_write_url: Option<String>,

    /// Mean time between two remote writes, from 200ms to 1h; the poll interval by default. Each write waits for a new snapshot.
    #[arg(long, env = "METRICS_REMOTE_WRITE_INTERVAL", value_parser = time_within(INTERVAL), value_name = "TIME")]
    pub remote_write_interval: Option<Duration>,

    /// A label of all series that are written; may be repeated. `instance` is this host and the page's port unless it is
    /// given here.
    #[arg(
        long,
        env = "METRICS_REMOTE_WRITE_LABEL",
        value_delimiter = ',',
        value_name = "NAME=VALUE"
    )]
    pub remote_write_label: Vec<Pair>,

    /// Publish the load of each pool to NATS once in each round, at namespace.NAMESPACE.l2c.COMPONENT.ENDPOINT: as the JSON of
    /// Dynamo's metrics component, or as MessagePack with all that is known.
    #[arg(long, env = "METRICS_PUBLISH", value_enum, value_name = "SHAPE")]
    pub publish: Option<Shape>,

    /// A file with the bearer token for remote writes. It is read for each request.
    #[arg(long, env = "METRICS_REMOTE_WRITE_BEARER_TOKEN_FILE", value_name = "FILE")]
    pub remote_write_bearer_token_file: Option<PathBuf>,

    /// A receiver of OpenTelemetry's protocol over HTTP, to whose path /v1/metrics is added. Example: http://collector:4318,
    /// with USER:PASSWORD@ before the host for basic authentication.
    #[arg(
        long,
        env = "METRICS_OTLP_ENDPOINT",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub otlp_endpoint: Option<String>,

    /// Mean time between two exports by OTLP, from 200ms to 1h. Each export waits for a new snapshot.
    #[arg(long, env = "METRICS_OTLP_INTERVAL", default_value = "15s", value_parser = time_within(INTERVAL), value_name = "TIME")]
    pub otlp_interval: Duration,

    /// An attribute of the resource that is exported by OTLP; may be repeated. `service.name` is --push-job and
    /// `service.instance.id` is this host and the page's port unless they are given here.
    #[arg(
        long,
        env = "METRICS_OTLP_ATTRIBUTE",
        value_delimiter = ',',
        value_name = "NAME=VALUE"
    )]
    pub otlp_attribute: Vec<Attribute>,

    /// A file with the bearer token for exports by OTLP. It is read for each request.
    #[arg(long, env = "METRICS_OTLP_BEARER_TOKEN_FILE", value_name = "FILE")]
    pub otlp_bearer_token_file: Option<PathBuf>,

    /// The CAs that are trusted for all receivers at https://, in PEM, in place of those of the system.
    #[arg(long, env = "METRICS_PUSH_TLSCA", value_name = "FILE")]
    pub push_tlsca: Option<PathBuf>,
}

const INTERVAL: Bounds = (Duration::from_millis(200), Duration::from_secs(3600));

/// A label and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair(pub(super) String, pub(super) String);

/// A text is no label with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write NAME=VALUE with a name of letters, digits and _ that does not begin with a digit or __")]
pub struct PairError;

impl FromStr for Pair {
    type Err = PairError;

    fn from_str(text: &str) -> Result<Self, PairError> {
        let (name, value) = text.split_once('=').ok_or(PairError)?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let begins_well = !name.starts_with("__") && !name.starts_with(|first: char| first.is_ascii_digit());
        match !name.is_empty() && begins_well && name.bytes().all(is_name) {
            true => Ok(Self(name.to_owned(), value.to_owned())),
            false => Err(PairError),
        }
    }
}

/// An attribute of a resource and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute(String, String);

/// A text is no attribute with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write NAME=VALUE, for example deployment.environment.name=production")]
pub struct AttributeError;

impl FromStr for Attribute {
    type Err = AttributeError;

    fn from_str(text: &str) -> Result<Self, AttributeError> {
        match text.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                Ok(Self(name.trim().to_owned(), value.to_owned()))
            }
            _ => Err(AttributeError),
        }
    }
}

fn filled(text: &str) -> Result<String, String> {
    match text {
        "" => Err("it must not be empty".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// The sinks that are on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sinks {
    pub(super) pushgateway: Option<Pushgateway>,
    pub(super) remote_write: Option<RemoteWrite>,
    pub(super) otlp: Option<Otlp>,
    /// How aggregates are published to NATS.
    pub(crate) publish: Option<Shape>,
}

impl PushArgs {
    /// What the flags come to.
    ///
    /// # Errors
    /// All that is wrong with flags that are each valid, and addresses, which clap would show with their passwords.
    pub fn resolve(&self, poll_interval: Duration) -> Result<Sinks, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let mut receiver = |id: &str, text: &Option<String>, example: &str| {
            let text = text.as_ref()?;
            let parsed = text.parse::<Receiver>();
            let flag = id.replace('_', "-");
            parsed
                .map_err(|error| {
                    let message =
                        format!("invalid value for '--{flag} <URL>': {error}; write e.g. {example}");
                    wrong.push(Wrong::new([id], message));
                })
                .ok()
        };
        let mut push = receiver("push_url", &self.push_url, "http://pushgateway:9091");
        let mut write = receiver(
            "remote_write_url",
            &self.remote_write_url,
            "http://prometheus:9090/api/v1/write",
        );
        let mut export = receiver("otlp_endpoint", &self.otlp_endpoint, "http://collector:4318");
        if let Some(path) = &self.push_tlsca {
            let encrypted = [&mut push, &mut write, &mut export].into_iter().flatten();
            let encrypted: Vec<_> = encrypted.filter(|receiver| receiver.is_encrypted()).collect();
            match Trust::read(path) {
                _ if encrypted.is_empty() && wrong.is_empty() => {
                    let message = "--push-tlsca has no effect: no receiver's address begins with https://";
                    wrong.push(Wrong::new(["push_tlsca"], message));
                }
                Ok(trust) => encrypted
                    .into_iter()
                    .for_each(|receiver| receiver.trust = trust.clone()),
                Err(problem) => {
                    let message = format!("--push-tlsca: the file {} {problem}", path.display());
                    wrong.push(Wrong::new(["push_tlsca"], message));
                }
            }
        }
        if self.push && self.push_url.is_none() {
            let message = "--push needs the address of a Pushgateway: add --push-url http://HOST:9091";
            wrong.push(Wrong::new(["push"], message));
        }
        if let Some(Pair(_, value)) = self.push_grouping.iter().find(|Pair(name, _)| name == "job") {
            let message = format!("--push-grouping: the label job is set by --push-job {value:?}");
            wrong.push(Wrong::new(["push_grouping"], message));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let pushgateway = push.map(|receiver| Pushgateway {
            receiver,
            interval: self.push_interval,
            job: self.push_job.clone(),
            grouping: map(&self.push_grouping),
            delete: self.push_delete,
        });
        let remote_write = write.map(|receiver| {
            let mut labels = map(&self.remote_write_label);
            labels
                .entry("job".to_owned())
                .or_insert_with(|| self.push_job.clone());
            RemoteWrite {
                receiver: Receiver {
                    token_file: self.remote_write_bearer_token_file.clone(),
                    ..receiver
                },
                interval: self.remote_write_interval.unwrap_or(poll_interval),
                labels,
            }
        });
        let otlp = export.map(|receiver| Otlp {
            receiver: Receiver {
                url: signal_url(receiver.url.clone()),
                token_file: self.otlp_bearer_token_file.clone(),
                ..receiver
            },
            interval: self.otlp_interval,
            attributes: self.attributes(),
        });
        Ok(Sinks {
            pushgateway,
            remote_write,
            otlp,
            publish: self.publish,
        })
    }
}

impl PushArgs {
    fn attributes(&self) -> BTreeMap<String, String> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let own = [
            ("service.name".to_owned(), self.push_job.clone()),
            ("service.version".to_owned(), version),
        ];
        let given = self.otlp_attribute.iter().cloned();
        let given = given.map(|Attribute(name, value)| (name, value));
        own.into_iter().chain(given).collect()
    }
}

impl Sinks {
    /// Names this collector as the instance, wherever the flags name none.
    pub(crate) fn set_instance(&mut self, instance: &str) {
        let groups = self.pushgateway.iter_mut().map(|sink| &mut sink.grouping);
        let labels = self.remote_write.iter_mut().map(|sink| &mut sink.labels);
        let attributes = self.otlp.iter_mut().map(|sink| &mut sink.attributes);
        let labels = groups.chain(labels).map(|labels| (labels, "instance"));
        for (labels, name) in labels.chain(attributes.map(|labels| (labels, "service.instance.id"))) {
            labels
                .entry(name.to_owned())
                .or_insert_with(|| instance.to_owned());
        }
    }
}

fn map(pairs: &[Pair]) -> BTreeMap<String, String> {
    let pairs = pairs.iter().cloned();
    pairs.map(|Pair(name, value)| (name, value)).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        push: PushArgs,
    }

    fn resolve(flags: &[&str]) -> Result<Sinks, String> {
        let flags = Flags::try_parse_from([&["x"], flags].concat()).map_err(|error| error.to_string())?;
        let resolved = flags.push.resolve(Duration::from_secs(2));
        resolved.map_err(|wrong| wrong.into_iter().map(|wrong| wrong.message).collect())
    }

    #[test]
    fn nothing_is_pushed_or_published_unless_it_is_asked_for() {
        assert_eq!(resolve(&[]), Ok(Sinks::default()));
        let sinks = resolve(&["--push-url", "http://p", "--remote-write-url", "http://w"]).expect("valid");
        assert!(sinks.pushgateway.is_some() && sinks.publish.is_none());
        let publishing = resolve(&["--publish", "native"]).expect("valid");
        assert_eq!(publishing.publish, Some(Shape::Native));
        let write = sinks.remote_write.expect("it is on");
        assert_eq!(write.interval, Duration::from_secs(2));
        assert_eq!(write.labels["job"], "llm-metrics");
    }

    #[test]
    fn what_is_wrong_is_reported_with_its_remedy_and_without_secrets() {
        fn check(flags: &[&str], part: &str) {
            let error = resolve(flags).expect_err(part);
            assert!(error.contains(part), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        check(&["--push"], "--push-url http://");
        check(&["--push-url", "ftp://a:secret@b"], "'--push-url <URL>'");
        check(&["--remote-write-url", "a:secret"], "/api/v1/write");
        check(
            &["--push-url", "http://p", "--push-grouping", "job=x"],
            "--push-job \"x\"",
        );
        check(&["--remote-write-label", "a-b=c"], "NAME=VALUE");
        check(&["--remote-write-label", "__name__=c"], "NAME=VALUE");
        check(&["--push-job", ""], "must not be empty");
        check(
            &["--otlp-endpoint", "collector:secret"],
            "'--otlp-endpoint <URL>'",
        );
        check(
            &["--otlp-attribute", "=x"],
            "deployment.environment.name=production",
        );
        check(
            &["--push-url", "https://p", "--push-tlsca", "/absent"],
            "/absent cannot be read",
        );
        check(
            &["--push-url", "http://p", "--push-tlsca", "/absent"],
            "begins with https://",
        );
    }

    #[test]
    fn an_instance_that_is_given_is_kept() {
        let mut sinks = resolve(&[
            "--push-url",
            "http://p",
            "--remote-write-url",
            "http://w",
            "--remote-write-label",
            "instance=mine",
            "--otlp-endpoint",
            "http://o",
            "--otlp-attribute",
            "service.name=other,zone=a",
        ])
        .expect("valid");
        sinks.set_instance("host:1");
        assert_eq!(
            sinks.pushgateway.expect("it is on").grouping["instance"],
            "host:1"
        );
        assert_eq!(sinks.remote_write.expect("it is on").labels["instance"], "mine");
        let otlp = sinks.otlp.expect("it is on");
        assert_eq!(otlp.receiver.url.as_str(), "http://o/v1/metrics");
        let shown: Vec<_> = otlp
            .attributes
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let version = concat!("service.version=", env!("CARGO_PKG_VERSION"));
        assert_eq!(
            shown,
            [
                "service.instance.id=host:1",
                "service.name=other",
                version,
                "zone=a"
            ]
        );
    }
}
