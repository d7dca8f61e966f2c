//! What pages have.

use std::sync::Arc;
use std::time::Duration;

use fleet::{Faulty, PoolName, PoolView, ReplyCounts, ReplyResult, Settings, Snapshot};

use super::*;
use crate::export::tests::{plain, sample};
use crate::history::{History, Keep};
use crate::published::Published;
use crate::view::{CollectorScreen, Inside, Kind, Moment, WhyFacts, WhyScreen};

fn drawn(snapshot: &Snapshot, query: &str) -> String {
    let published = Published::now(Arc::new(snapshot.clone()));
    let mut history = History::new(Keep::default());
    history.take_in(&published);
    let moment = Moment {
        published: &published,
        history: &history,
        round_limit: Duration::from_secs(6),
    };
    let ask = Ask::read_page(query).expect("an address");
    page(&ask.screen(&moment).expect("a screen"), &ask)
}

#[tokio::test(start_paused = true)]
async fn names_from_outside_are_text_and_nothing_else() {
    let hostile = "<script>alert(1)</script>\"\'\n\u{202e}";
    let name = PoolName::Service {
        service: hostile.into(),
        endpoint: "e&<b>".into(),
    };
    let mut pool = PoolView::empty(name.clone(), Settings::default());
    pool.labels = [("team".to_owned(), hostile.to_owned())].into();
    pool.round_ended = Some(Duration::ZERO);
    let snapshot = sample::snapshot_of(vec![pool]);
    let ask = Ask {
        pool: name.to_string(),
        filter: "\"><script>".to_owned(),
        ..Ask::of(Kind::Pool)
    };
    for query in [String::new(), ask.to_string()] {
        let text = drawn(&snapshot, &query);
        assert_eq!(
            text.matches("<script").count(),
            1,
            "only that of the page: {text}"
        );
        assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{text}");
        assert!(!text.contains("<b>"), "{text}");
        // Attributes have the name itself, for copies and addresses.
        let mut read = String::new();
        for piece in text.split('<').skip(1) {
            read.push_str(piece.split_once('>').map_or("", |(_, read)| read));
        }
        assert!(!read.contains('\u{202e}') && read.contains("u{202e}"), "{read}");
        assert!(!text.contains(" style=") && !text.contains(" onclick"), "{text}");
    }
    let missing = missing(&ask, hostile);
    assert_eq!(missing.matches("<script").count(), 1, "{missing}");
}

#[tokio::test(start_paused = true)]
async fn a_table_has_the_first_rows_in_order_and_a_way_to_the_others() {
    let snapshot = sample::fleet_of(&[("a/b/c", 392)]);
    let text = drawn(&snapshot, "pool=a/b/c");
    assert_eq!(text.matches("<tr data-id=").count(), 100);
    assert!(
        text.contains("292 more") && text.contains("href=\"./?pool=a/b/c&amp;top=all\""),
        "{text}"
    );
    assert_eq!(
        text.matches("class=\"cell ").count() - 6,
        392,
        "a cell for each worker, and the legend"
    );
    let many = sample::fleet_of(&[("a/b/c", 1_200)]);
    let text = drawn(&many, "pool=a/b/c&top=all");
    assert_eq!(text.matches("<tr data-id=").count(), 1_000);
    assert!(
        text.contains("200 more") && text.contains("href=\"./?pool=a/b/c&amp;top=1200\""),
        "{text}"
    );
    let text = drawn(&many, "pool=a/b/c&top=1200");
    assert_eq!(text.matches("<tr data-id=").count(), 1_200);
    let text = drawn(&snapshot, "pool=a/b/c&top=all&sort=id&filter=0x18");
    let rows: Vec<&str> = text
        .split("<tr data-id=\"")
        .skip(1)
        .map(|row| row.split('"').next().expect("an id"))
        .collect();
    assert_eq!(rows[..3], ["24", "280", "384"]);
    assert!(text.contains("aria-sort=\"ascending\"") && text.contains("value=\"0x18\""));
}

#[tokio::test(start_paused = true)]
async fn senders_of_bad_replies_are_named_whatever_they_are_called() {
    let mut replies = ReplyCounts::default();
    replies[ReplyResult::Malformed] = 3;
    replies[ReplyResult::Late] = 4;
    let mut snapshot = sample::snapshot_of(Vec::new());
    snapshot.worst = vec![Faulty {
        service: "<b>evil</b>\u{202e}".into(),
        instance: "<script>".into(),
        member: None,
        replies,
    }];
    let published = Published::now(Arc::new(snapshot));
    let history = History::new(Keep::Off);
    let moment = Moment {
        published: &published,
        history: &history,
        round_limit: Duration::from_secs(6),
    };
    let inside = Inside {
        process: &Default::default(),
        settings: &[],
        history_bytes: 0,
        streams: 0,
    };
    let screen = Screen::Collector(Box::new(CollectorScreen::new(&inside, &moment)));
    let text = page(&screen, &Ask::of(Kind::Collector));
    let (_, senders) = text.split_once("Worst senders").expect("it is there");
    assert!(senders.contains("&lt;b&gt;evil&lt;/b&gt;\\u{202e}"), "{senders}");
    assert!(
        senders.contains("&lt;script&gt;") && !senders.contains("<script>"),
        "{senders}"
    );
    assert!(
        senders.contains("<td class=\"num\">7</td>") && senders.contains("malformed <b>3</b>"),
        "{senders}"
    );
}

#[tokio::test(start_paused = true)]
async fn old_figures_are_not_shown_as_live() {
    let live = drawn(&sample::snapshot_of(Vec::new()), "");
    assert!(
        live.contains("data-live=\"true\"") && live.contains("id=\"banner\" role=\"alert\" hidden"),
        "{live}"
    );
    let mut lost = plain::mixed();
    lost.link.connected = false;
    lost.round_age = Some(Duration::from_secs(42));
    let text = drawn(&lost, "");
    assert!(text.contains("data-live=\"false\""), "{text}");
    assert!(
        text.contains("The connection to NATS is lost. These figures are 42s old."),
        "{text}"
    );
    assert!(!text.contains("role=\"alert\" hidden"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_the_same_is_not_sent_again() {
    let drawn = |snapshot: Snapshot| {
        let published = Published::now(Arc::new(snapshot));
        let history = History::new(Keep::default());
        let moment = Moment {
            published: &published,
            history: &history,
            round_limit: Duration::from_secs(6),
        };
        let ask = Ask::of(Kind::Overview);
        Drawn::new(ask.screen(&moment).expect("a screen"), &ask)
    };
    let before = drawn(sample::fleet_of(&[("a/b/c", 2)]));
    let sent = |now: &Drawn| {
        let live = serde_json::to_value(now.since(Some(&before))).expect("JSON");
        let parts = live["parts"].as_object().expect("parts").clone();
        parts.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(
        sent(&drawn(sample::fleet_of(&[("a/b/c", 2)]))),
        Vec::<String>::new()
    );
    assert_eq!(
        sent(&drawn(sample::fleet_of(&[("a/b/c", 3)]))),
        ["answers", "pools"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_screen_says_where_to_look() {
    let text = drawn(&sample::snapshot_of(Vec::new()), "");
    assert!(
        text.contains("There is no pool of workers yet.") && text.contains("class=\"button\" href=\"why\"")
    );
    let published = Published::now(Arc::new(sample::snapshot_of(Vec::new())));
    let history = History::new(Keep::Off);
    let moment = Moment {
        published: &published,
        history: &history,
        round_limit: Duration::from_secs(6),
    };
    let why = WhyScreen::new(&WhyFacts::default(), &moment);
    let text = page(&Screen::Why(Box::new(why)), &Ask::of(Kind::Why));
    assert!(text.contains("Everything that is watched has workers."), "{text}");
}
