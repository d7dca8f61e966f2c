//! A fleet that is the same in every run: two pools of workers and a plain service, after a minute of rounds.

use std::sync::Arc;
use std::time::Duration;

use fleet::{
    Faulty, Identity, PoolName, PoolView, ReplyCounts, ReplyResult, Snapshot, WorkerKey, WorkerState,
    WorkerView,
};
use protocol::{WorkerId, WorkerStats};
use tokio::time::Instant;

use crate::export::Process;
use crate::export::tests::{plain, sample};
use crate::history::{History, Keep};
use crate::published::Published;
use crate::view::{
    Ask, CollectorScreen, FoundPool, FoundService, Inside, Kind, Moment, NearMiss, Screen, SettingRow,
    Watched, WhyFacts, WhyScreen,
};

/// The pool that has the busiest worker.
pub(super) const BUSY: &str = "prod-llama/backend/generate";

const IDLE: &str = "prod-llama/prefill/generate";

/// When the latest snapshot was taken, in Unix seconds.
const TAKEN: f64 = 1_767_225_600.0;

/// A collector whose snapshots are made here.
pub(super) struct Fleet {
    history: History,
    start: Instant,
    second: u32,
    /// KV use of the busiest worker of each pool, in percent.
    busiest: [u64; 2],
    service: &'static str,
    is_connected: bool,
}

impl Fleet {
    pub(super) fn of_two_pools() -> Self {
        let mut fleet = Self {
            history: History::new(Keep::default()),
            start: Instant::now(),
            second: 0,
            busiest: [97, 70],
            service: "orders",
            is_connected: true,
        };
        for _ in 0..12 {
            fleet.second += 5;
            let published = fleet.published();
            fleet.history.take_in(&published);
        }
        fleet
    }

    fn published(&self) -> Published {
        let mut snapshot = Snapshot {
            sequence: self.second.into(),
            ..sample::snapshot_of(self.pools())
        };
        snapshot.link.connected = self.is_connected;
        snapshot.link.permission_violations = 0;
        snapshot.worst = vec![slow()];
        Published {
            snapshot: Arc::new(snapshot),
            at: self.start + Duration::from_secs(self.second.into()),
        }
    }

    /// The busiest worker becomes the idlest, and the other pool the one that is saturated.
    pub(super) fn turn_around(&mut self) {
        self.second += 5;
        self.busiest = [1, 99];
    }

    pub(super) fn lose_nats(&mut self) {
        self.second += 5;
        self.is_connected = false;
    }

    pub(super) fn rename_service(&mut self, service: &'static str) {
        self.second += 5;
        self.service = service;
    }

    fn pools(&self) -> Vec<PoolView> {
        let second: f64 = self.second.into();
        let [busiest, other] = self.busiest;
        let mut busy = sample::full_pool(BUSY, 0);
        let mut workers: Vec<WorkerView> = (1..=12)
            .map(|id| worker(id, 20 + 2 * id, id % 3, second * 4.0))
            .collect();
        workers[6] = worker(7, busiest, busiest / 2, second);
        workers[2].state = WorkerState::Stale;
        workers[2].last_seen = Some(TAKEN - 14.0);
        workers[4].started = Some(TAKEN - 20.0);
        busy.workers = workers.into();
        let mut idle = sample::full_pool(IDLE, 0);
        idle.workers = vec![worker(40, 3, 0, second), worker(41, other, 0, second)].into();
        let service = plain::endpoint(self.service, "orders.create", &["o1", "o2"]);
        vec![busy, idle, service]
    }

    /// A screen, as the collector would make it.
    pub(super) fn screen(&mut self, ask: &Ask) -> Option<Screen> {
        let mut published = self.published();
        self.history.take_in(&published);
        // Ages count from now.
        published.at = Instant::now();
        let moment = Moment {
            published: &published,
            history: &self.history,
            round_limit: Duration::from_secs(6),
        };
        match ask.kind {
            Kind::Why => Some(Screen::Why(Box::new(WhyScreen::new(&facts(), &moment)))),
            Kind::Collector => {
                let inside = Inside {
                    process: &Process::default(),
                    settings: &settings(),
                    history_bytes: 12 << 20,
                    streams: 1,
                };
                let mut screen = CollectorScreen::new(&inside, &moment);
                screen.revision = "0123456789ab".to_owned();
                Some(Screen::Collector(Box::new(screen)))
            }
            Kind::Overview | Kind::Pool | Kind::Worker => ask.screen(&moment),
        }
    }
}

fn worker(id: u64, kv: u64, waiting: u64, requests: f64) -> WorkerView {
    let load = WorkerStats::builder()
        .slots_active(kv.min(64))
        .slots_capacity(64)
        .requests_waiting(waiting)
        .kv_blocks_active(kv * 10)
        .kv_blocks_capacity(1000)
        .prefix_cache_hit_ratio(0.25);
    let seen = sample::worker(&id.to_string(), "1.6.1", "hashed");
    let number = 0x6d00_0000_0000_0000 + id;
    let identity = Identity {
        key: WorkerKey::Id(WorkerId::new(number)),
        worker_id: number.to_string().into(),
        worker_hex: format!("{number:x}").into(),
        ..(*seen.identity).clone()
    };
    WorkerView {
        identity: identity.into(),
        load: Some(load.build().expect("in range")),
        requests,
        errors: requests / 200.0,
        started: Some(TAKEN - 7200.0),
        last_seen: Some(TAKEN - 0.5),
        ..seen
    }
}

/// An instance that is late, with the worker that it reports.
fn slow() -> Faulty {
    let worker = worker(7, 0, 0, 0.0);
    let mut replies = ReplyCounts::default();
    replies[ReplyResult::Late] = 5;
    Faulty {
        service: "prod-llama_backend".into(),
        instance: "slow\u{202e}".into(),
        member: Some((PoolName::Workers(BUSY.parse().expect("a path")), worker.identity)),
        replies,
    }
}

fn facts() -> WhyFacts {
    WhyFacts {
        round: "15 replies came in the last round".to_owned(),
        watched: vec![
            Watched {
                name: "dynamo/backend/generate".to_owned(),
                workers: 0,
                fresh: 0,
                text: "no worker is known".to_owned(),
                near_misses: vec![NearMiss {
                    count: 3,
                    of: Some("dynamo/Backend/generate".to_owned()),
                    reason: "the component is written in another way".to_owned(),
                    remedy: Some("--target dynamo/Backend/generate".to_owned()),
                }],
                command: Some("metrics explain dynamo/backend/generate".to_owned()),
            },
            Watched {
                name: BUSY.to_owned(),
                workers: 12,
                fresh: 11,
                text: "12 workers, 11 of them fresh".to_owned(),
                near_misses: Vec::new(),
                command: None,
            },
        ],
        found: vec![FoundPool {
            path: "test/backend/generate".to_owned(),
            workers: 2,
            command: "metrics --target test/backend/generate".to_owned(),
        }],
        services: vec![FoundService {
            name: "orders".to_owned(),
            instances: 2,
            is_watched: true,
            command: "metrics --service orders".to_owned(),
        }],
        refused: Vec::new(),
        denied: Vec::new(),
    }
}

fn settings() -> Vec<SettingRow> {
    let row = |key: &str, value: &str, source: &str| SettingRow {
        key: key.to_owned(),
        value: value.to_owned(),
        source: source.to_owned(),
        is_default: source == "default",
    };
    vec![
        row("target", "[\"prod-llama/*/generate\"]", "flag"),
        row("poll_interval", "\"2s\"", "default"),
        row("password", "\"***\"", "metrics.toml:7"),
    ]
}
