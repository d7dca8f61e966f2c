//! The Pushgateway: the whole page under one grouping key, in place of the page before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE;
use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use reqwest::{Method, Url};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::books::Books;
use super::http::{Http, is_passing};
use super::pace::Pace;
use super::receiver::Receiver;
use crate::export::Format;
use crate::page::{Encoding, Pages};

const HEADERS: [(HeaderName, &str); 2] = [
    (CONTENT_TYPE, Format::Classic.content_type()),
    (CONTENT_ENCODING, "gzip"),
];

/// Where and how to push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pushgateway {
    pub(super) receiver: Receiver,
    pub(super) interval: Duration,
    pub(super) job: String,
    /// The rest of the grouping key.
    pub(super) grouping: BTreeMap<String, String>,
    /// Whether the group is deleted at shutdown.
    pub(super) delete: bool,
}

/// Pushes until `stop`. A push that failed is tried again with the page of that time.
pub(super) async fn run(
    config: Pushgateway,
    pages: Arc<Pages>,
    books: Arc<Books>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut http = Http::new(config.receiver, is_passing).context("failed to prepare HTTP")?;
    let mut url = http.url().clone();
    let path = [
        url.path().trim_end_matches('/'),
        &path(&config.job, &config.grouping),
    ]
    .concat();
    url.set_path(&path);
    tokio::select! {
        () = stop.cancelled() => {}
        () = push(&mut http, &url, config.interval, &pages, &books) => {}
    }
    if config.delete && http.send(Method::DELETE, url, &[], Bytes::new()).await.is_err() {
        books.failed();
        warn!(
            sink = books.sink().as_str(),
            "the group could not be deleted, and its last values stay at the Pushgateway"
        );
    }
    Ok(())
}

/// Pushes the page of a snapshot once in an interval.
async fn push(http: &mut Http, url: &Url, interval: Duration, pages: &Pages, books: &Books) {
    let mut snapshots = pages.snapshots();
    let mut pace = Pace::new(interval);
    while pace.next(&mut snapshots).await {
        while let Ok(page) = pages.get(Format::Classic, Encoding::Gzip).await {
            let body = Bytes::from(page.chunks.concat());
            // While the receiver is slow, the page takes no room of clients.
            drop(page);
            match http.send(Method::PUT, url.clone(), &HEADERS, body).await {
                Ok(_) => http.succeeded(books),
                Err(failure) => {
                    if http.failed(failure, books).await {
                        continue;
                    }
                }
            }
            break;
        }
    }
    std::future::pending::<()>().await;
}

/// The path of a group: `/metrics/job/JOB/NAME/VALUE`. A value that a path cannot hold is written in base64.
fn path(job: &str, grouping: &BTreeMap<String, String>) -> String {
    let rest = grouping
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let parts = [("job", job)]
        .into_iter()
        .chain(rest)
        .map(|(name, value)| match value {
            "" => format!("/{name}@base64/="),
            value if value.contains('/') => format!("/{name}@base64/{}", BASE64_URL_SAFE.encode(value)),
            value => format!("/{name}/{}", utf8_percent_encode(value, NON_ALPHANUMERIC)),
        });
    format!("/metrics{}", parts.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grouping_key_is_a_path_whatever_its_values_are() {
        fn check(job: &str, grouping: &[(&str, &str)], expected: &str) {
            let grouping = grouping
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            assert_eq!(path(job, &grouping.collect()), expected);
        }
        check("a", &[], "/metrics/job/a");
        check("a", &[("instance", "h:1")], "/metrics/job/a/instance/h%3A1");
        check(
            "a/b",
            &[("x", ""), ("y", "ü 1")],
            "/metrics/job@base64/YS9i/x@base64/=/y/%C3%BC%201",
        );
    }
}
