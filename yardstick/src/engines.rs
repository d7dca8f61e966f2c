//! [`Engines`]: the ranks of a fleet, and what each reports of its passes, as Dynamo 1.6 does.

use std::process;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use async_nats::Subject;
use bytes::Bytes;
use protocol::codec::{Encoding, Envelope, Publisher};
use protocol::events::write::Release;
use protocol::events::{ForwardPass, Queued, Scheduled, Topic};
use protocol::subject::EventSubject;
use protocol::{EndpointPath, WorkerId};

/// Every so many passes one computes a prompt; the others decode.
const PREFILL_EVERY: u64 = 20;

/// An id of a worker has all of its 64 bits, like a real one.
const FIRST_ID: u64 = 15_705_145_118_167_495_750;

/// How large a fleet is, as flags.
#[derive(Debug, clap::Args)]
pub(crate) struct Size {
    /// Path of the workers' endpoint
    #[arg(long, default_value = "dynamo/my_component/my_endpoint")]
    path: EndpointPath,
    /// Number of workers
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    workers: u64,
    /// Ranks of each worker
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    ranks: u64,
}

/// The ranks of all workers, which report in turn.
pub(crate) struct Engines {
    subject: Subject,
    ranks: Vec<Rank>,
    next: usize,
}

struct Rank {
    worker_id: WorkerId,
    dp_rank: u64,
    publisher: u64,
    /// The number of its next message.
    count: u64,
}

/// What passes add up to.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    pub(crate) passes: u64,
    pub(crate) prefill_tokens: u64,
    pub(crate) decode_steps: u64,
}

impl Engines {
    pub(crate) fn new(size: &Size) -> anyhow::Result<Self> {
        let subject = EventSubject::published(&size.path, Topic::ForwardPass, Release::V1_5);
        let subject = subject.context("failed to write these names into a subject")?;
        // Each publisher of Dynamo draws a number of 53 bits; here it is another one in each process.
        let first = (now()?.as_micros() as u64 ^ u64::from(process::id()) << 32) & ((1 << 53) - 1);
        let rank = |at: u64| Rank {
            worker_id: worker_id(at / size.ranks),
            dp_rank: at % size.ranks,
            publisher: first + at,
            count: 0,
        };
        Ok(Self {
            subject: subject.into(),
            ranks: (0..size.workers * size.ranks).map(rank).collect(),
            next: 0,
        })
    }

    pub(crate) fn subject(&self) -> Subject {
        self.subject.clone()
    }

    /// How many ranks there are.
    pub(crate) fn len(&self) -> u64 {
        self.ranks.len() as u64
    }

    /// The workers in turn.
    pub(crate) fn worker(&self, at: u64) -> WorkerId {
        let rank = &self.ranks[(at % self.len()) as usize];
        rank.worker_id
    }

    /// The next rank's heartbeat, in its envelope.
    pub(crate) fn heartbeat(&mut self) -> anyhow::Result<Bytes> {
        self.message(|_| (0.0, Scheduled::default()), None)
    }

    /// The next rank's pass, in its envelope.
    pub(crate) fn pass(&mut self, sums: &mut Sums) -> anyhow::Result<Bytes> {
        self.message(work, Some(sums))
    }

    fn message(
        &mut self,
        work: impl Fn(u64) -> (f64, Scheduled),
        sums: Option<&mut Sums>,
    ) -> anyhow::Result<Bytes> {
        let published_at_ms = now()?.as_millis() as u64;
        let count = self.ranks.len();
        let rank = &mut self.ranks[self.next];
        self.next = (self.next + 1) % count;
        let (wall_time, scheduled) = work(rank.worker_id.get().wrapping_add(rank.count));
        if let Some(sums) = sums {
            sums.passes += 1;
            sums.prefill_tokens += scheduled.prefill_tokens;
            sums.decode_steps += scheduled.decode_requests;
        }
        let pass = ForwardPass {
            worker_id: rank.worker_id,
            dp_rank: rank.dp_rank,
            counter_id: rank.count,
            wall_time,
            scheduled,
            queued: Queued::default(),
        };
        let publisher = Publisher {
            id: rank.publisher,
            sequence: rank.count,
            published_at_ms,
        };
        rank.count += 1;
        let envelope = Envelope::around(publisher, Topic::ForwardPass, &pass)?;
        Ok(Encoding::MessagePack.encode(&envelope)?.into())
    }
}

/// What a pass does, different from rank to rank and from pass to pass; never nothing.
fn work(number: u64) -> (f64, Scheduled) {
    let mut scheduled = Scheduled {
        decode_requests: 1 + number % 8,
        decode_kv_tokens: 150 + number % 1000,
        decode_kv_variance: (number % 100) as f64 + 0.25,
        ..Scheduled::default()
    };
    let is_prefill = number.is_multiple_of(PREFILL_EVERY);
    if is_prefill {
        scheduled.prefill_requests = 1;
        scheduled.prefill_tokens = 1 + number % 2048;
        scheduled.prefill_kv_tokens = 16;
    }
    let wall_time = if is_prefill { 0.0175 } else { 0.006275 };
    (wall_time + (number % 1000) as f64 * 1e-6, scheduled)
}

fn worker_id(at: u64) -> WorkerId {
    WorkerId::new(FIRST_ID + at)
}

pub(crate) fn now() -> anyhow::Result<Duration> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("failed to read the clock")
}
