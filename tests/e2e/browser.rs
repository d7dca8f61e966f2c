//! The pages for people, in a real Chromium.

mod contrast;
mod outages;
mod pools;

use tests::{Browser, Collector};

/// Fails when the page has loaded anything from elsewhere, or the console has an error; a violation of the page's policy is
/// one. `allowed` is a part of errors that are to be expected.
async fn is_clean(browser: &Browser, collector: &Collector, allowed: &[&str]) {
    let host = collector.url().trim_start_matches("http://");
    assert_eq!(browser.hosts().await, [host]);
    let mut console = browser.console().await;
    console.retain(|line| !allowed.iter().any(|part| line.contains(part)));
    assert_eq!(console, Vec::<String>::new());
}
