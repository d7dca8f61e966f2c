//! The first page, for people: where the others are, and the state of the collector.

use std::fmt::{self, Display, Write};
use std::time::Duration;

use fleet::{PoolName, PoolView};

use crate::published::Published;
use crate::{REVISION, VERSION, ready};

/// Pools that are listed; of more, it says how many there are.
const MOST: usize = 200;

const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width\">\n<title>metrics</title>\n\
<style>body{font-family:sans-serif;margin:2em;max-width:60em}td,th{text-align:left;padding:.2em 1em .2em 0}\
td.n,th.n{text-align:right}</style>\n</head>\n<body>\n";

/// The page of a snapshot.
pub(super) fn page(published: &Published, round_limit: Duration) -> String {
    let snapshot = &published.snapshot;
    let mut text = HEAD.to_owned();
    let connection = match snapshot.link.connected {
        true => "connected",
        false => "not connected",
    };
    let age = published.round_age().map_or_else(
        || "none has ended yet".to_owned(),
        |age| format!("{:.1} s ago", age.as_secs_f64()),
    );
    let reasons: Vec<String> = ready::why_not(published, round_limit)
        .iter()
        .map(ToString::to_string)
        .collect();
    let ready = match reasons.is_empty() {
        true => "ready".to_owned(),
        false => format!("not ready: {}", reasons.join("; ")),
    };
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "<h1>metrics</h1>\n<p>Version {VERSION}, revision {REVISION}</p>\n\
        <ul>\n<li><a href=\"metrics\">/metrics</a> for Prometheus</li>\n\
        <li><a href=\"api/v1/pools\">/api/v1/pools</a>, <a href=\"api/v1/workers\">workers</a>, \
        <a href=\"api/v1/services\">services</a> and <a href=\"api/v1/snapshot\">snapshot</a> as JSON</li>\n\
        <li><a href=\"healthz\">/healthz</a> whether the collector runs</li>\n\
        <li><a href=\"readyz\">/readyz</a> whether its figures can be trusted</li>\n</ul>\n\
        <table>\n<tr><th>NATS</th><td>{connection}</td></tr>\n<tr><th>Last round</th><td>{age}</td></tr>\n\
        <tr><th>State</th><td>{}</td></tr>\n</table>\n",
        Escaped(ready)
    );
    pools(
        &mut text,
        snapshot.pools.iter().map(AsRef::as_ref),
        snapshot.pools.len(),
    );
    text.push_str("</body>\n</html>\n");
    text
}

fn pools<'a>(text: &mut String, pools: impl Iterator<Item = &'a PoolView>, count: usize) {
    if count == 0 {
        text.push_str("<p>There is no pool yet.</p>\n");
        return;
    }
    text.push_str("<h2>Pools</h2>\n<table>\n<tr><th>Pool</th><th class=\"n\">Fresh</th><th class=\"n\">Known</th><th>Last round</th></tr>\n");
    for pool in pools.take(MOST) {
        let kind = match pool.name {
            PoolName::Workers(_) => "",
            PoolName::Service { .. } => "service ",
        };
        let up = if pool.up { "answered" } else { "no answer" };
        let _ = writeln!(
            text,
            "<tr><td>{kind}{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{up}</td></tr>",
            Escaped(&pool.name),
            pool.totals().fresh,
            pool.workers.len(),
        );
    }
    text.push_str("</table>\n");
    if let Some(more) = count.checked_sub(MOST).filter(|more| *more > 0) {
        let _ = writeln!(text, "<p>and {more} more</p>");
    }
}

/// Text from outside, as HTML.
struct Escaped<T>(T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.to_string().chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                control if control.is_control() => write!(f, "{}", control.escape_default())?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fleet::{Settings, Snapshot};

    use super::*;

    #[test]
    fn pools_are_listed_and_names_from_outside_cannot_be_html() {
        let pool = |number: usize| {
            let name = PoolName::Service {
                service: format!("<script>{number}").into(),
                endpoint: "a&\"b'\n".into(),
            };
            Arc::new(PoolView::empty(name, Settings::default()))
        };
        let snapshot = Snapshot {
            pools: (0..MOST + 3).map(pool).collect(),
            ..Snapshot::default()
        };
        let text = page(&Published::now(Arc::new(snapshot)), Duration::from_secs(6));
        assert!(
            text.contains("&lt;script&gt;0") && text.contains("a&amp;&quot;b&#39;\\n"),
            "{text}"
        );
        assert!(!text.contains("<script"));
        assert_eq!(text.matches("<td>service ").count(), MOST);
        assert!(text.contains("<p>and 3 more</p>"));
        assert!(text.contains("not connected"));
    }
}
