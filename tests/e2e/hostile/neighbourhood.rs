//! Two good workers, next to which hostile services come and go.

use protocol::Layout;
use tests::{Collector, Micro, NatsServer, Page, TestFleet};

use super::{SERVICE, SUBJECT};
use crate::TARGET;

/// Results that no reply of a good worker has.
const RESULTS: [&str; 5] = [
    "duplicate",
    "malformed",
    "out_of_range",
    "foreign",
    "invalid_subject",
];

/// Two good workers and their collector; hostile services come and go next to them.
pub(super) struct Neighbourhood {
    _server: NatsServer,
    pub(super) fleet: TestFleet,
    pub(super) collector: Collector,
}

impl Neighbourhood {
    pub(super) async fn new() -> Self {
        Self::with_interval("250ms").await
    }

    /// Replies of thousands of endpoints take their time in a debug build.
    pub(super) async fn with_interval(interval: &str) -> Self {
        // The largest replies that this server lets through are larger than the collector reads.
        let server = NatsServer::configured("max_payload: 16MB", None).await;
        let fleet = TestFleet::connect(&server).await;
        for id in [1, 2] {
            fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(id)));
        }
        // A busy machine may let a good worker miss a round or two.
        let more = [
            "--poll-interval",
            interval,
            "--stale-after",
            "4",
            "--gone-after",
            "6",
        ];
        let collector = Collector::watching(&server, TARGET, &more).await;
        collector.has_workers(2).await;
        Self {
            _server: server,
            fleet,
            collector,
        }
    }

    /// Lets a service that answers `stats` take part in some rounds. Every one of its answers must have `result`,
    /// and nothing else may have changed but the good workers' own counts, `ok` and, on a busy machine, `late`.
    /// Returns the page while it took part.
    pub(super) async fn check(&self, what: &str, stats: impl Into<bytes::Bytes>, result: &str) -> Page {
        let hostile = Micro::service(SERVICE, "hostile");
        let before = self.collector.page().await;
        let asked_before = self.fleet.requests("STATS", &hostile);
        self.fleet.join_raw(&hostile.service, &hostile.id, stats, None);
        self.fleet.is_asked("STATS", &hostile, asked_before + 2).await;
        let during = self.collector.rounds(0).await;
        self.fleet.leave(&hostile);
        let after = self.collector.rounds(1).await;

        let answers = self.fleet.answers(&hostile) as f64;
        assert!(answers > 0.0, "{what}: it answered {answers} times");
        for other in RESULTS {
            let counted = replies(&after, other) - replies(&before, other);
            let expected = if other == result { answers } else { 0.0 };
            assert_eq!(
                counted, expected,
                "{what}: {answers} answers, counted as {other}\n{after}"
            );
        }
        for page in [&during, &after] {
            for id in ["1", "2"] {
                let blocks = page.value("llm_worker_kv_blocks_active", &[("worker_id", id)]);
                assert_eq!(blocks, id.parse().ok(), "{what}: a good worker's number\n{page}");
            }
        }
        during
    }

    /// The same with a reply that is well-formed but for its one endpoint's data.
    pub(super) async fn check_data(&self, data: &str, result: &str) -> Page {
        let good = Micro::service(SERVICE, "hostile").endpoint(SUBJECT, "DATA");
        self.check(data, good.stats().replace(r#""DATA""#, data), result)
            .await
    }
}

/// How many replies had this result.
pub(super) fn replies(page: &Page, result: &str) -> f64 {
    page.sum("llm_collector_replies_total", &[("result", result)])
}
