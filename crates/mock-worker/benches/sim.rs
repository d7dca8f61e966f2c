//! How fast the simulation is, and how fast its replies are: `cargo xtask bench sim`.
//!
//! Figures are ratios within one run: simulated by real time, one way of stepping by the other, our replies by a bare
//! loop that publishes the same bytes. Each simulation runs in a process of its own, on one thread, so that its peak
//! memory is its own too. Without NATS_URL the replies are left out.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use async_nats::{Client, Subject};
use bytes::Bytes;
use futures_util::StreamExt;
use link::{Link, Options, Servers};
use mock_worker::app::{Batch, Line};
use mock_worker::ids;
use mock_worker::reply::{Identity, Service, Voice};
use mock_worker::scenario::{Scenario, Setting};
use mock_worker::stage::Stage;
use protocol::text::causes;
use protocol::{EndpointPath, Layout, StatsShape, WorkerSubject};
use sim::{Journal, Steps};

const SEED: u64 = 42;

/// Replies that are sent in one measurement, in rounds of ten thousand workers.
const WORKERS: u32 = 10_000;
const ROUNDS: usize = 20;
const BATCH: usize = 256;

/// A simulation to measure: name, scenario, settings, simulated seconds, single steps.
type Case = (&'static str, &'static str, &'static [&'static str], u64, bool);

const CASES: [Case; 4] = [
    ("fleet-10k", "fleet-10k", &[], 60, false),
    ("saturated-2k", "steady", SATURATED, 60, false),
    ("coalesced", "decode-bound", &["workers=200"], 60, false),
    ("single-step", "decode-bound", &["workers=200"], 60, true),
];

/// More requests than the workers can serve: every slot is taken, and the queue is full.
const SATURATED: &[&str] = &[
    "workers=2000",
    "traffic.rate=30",
    "traffic.spread=0.0",
    "traffic.router=none",
];

fn main() -> ExitCode {
    // Cargo adds --bench; a case runs in a process of its own.
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let outcome = match words.as_slice() {
        [case, name] if case == "--case" => simulate(name).map(|figures| println!("{figures}")),
        [] => all(),
        other => Err(anyhow::anyhow!("unknown arguments {other:?}; there are none")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {}", causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn all() -> anyhow::Result<()> {
    println!("{:<34} {:>12} {:>22}", "figure", "measured", "goal");
    let mut speeds = Vec::new();
    for (name, ..) in CASES {
        let output = Command::new(std::env::current_exe()?)
            .args(["--case", name])
            .output()?;
        ensure!(
            output.status.success(),
            "{name} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout)?;
        let figures: Vec<f64> = text
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        let [speed, peak] = figures[..] else {
            anyhow::bail!("{name} printed {text:?}")
        };
        speeds.push((name, speed, peak));
    }
    let row = |figure: &str, measured: String, goal: &str| println!("{figure:<34} {measured:>12} {goal:>22}");
    let speed_of = |wanted: &str| {
        speeds
            .iter()
            .find(|(name, ..)| *name == wanted)
            .map_or(0.0, |(_, speed, _)| *speed)
    };
    let peak = speeds[0].2;
    row(
        "fleet-10k, one core",
        format!("{:.1} x real", speed_of("fleet-10k")),
        ">= 8 x real time",
    );
    row("fleet-10k, peak memory", format!("{peak:.0} MB"), "<= 150 MB");
    row(
        "2,000 saturated workers, one core",
        format!("{:.1} x real", speed_of("saturated-2k")),
        ">= 3 x real time",
    );
    row(
        "gain of coalescing, decode-bound",
        format!("{:.1} x", speed_of("coalesced") / speed_of("single-step")),
        "> 1",
    );
    match std::env::var("NATS_URL") {
        Ok(url) => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            let (ours, bare) = runtime.block_on(replies(&url))?;
            row(
                "replies from one connection",
                format!("{ours:.0} /s"),
                ">= 300,000 /s, or",
            );
            row(
                "  by a bare publish loop",
                format!("{:.2}", ours / bare),
                ">= 0.8",
            );
        }
        Err(_) => {
            eprintln!("bench: replies are left out: NATS_URL names no server; use `cargo xtask bench sim`");
        }
    }
    Ok(())
}

/// Simulated seconds a second, and the peak memory of this process in MB.
fn simulate(name: &str) -> anyhow::Result<String> {
    let (_, scenario, settings, seconds, single_step) = CASES
        .into_iter()
        .find(|case| case.0 == name)
        .context("there is no such case")?;
    let steps = match single_step {
        true => Steps::Single,
        false => Steps::AtOnce,
    };
    let (mut stage, _) = stage(scenario, settings, steps)?;
    let (mut journal, mut notices) = (Journal::default(), Vec::new());
    let started = Instant::now();
    for second in 1..=seconds {
        stage.advance(second * 1_000_000_000, &mut journal, &mut notices);
        journal.clear();
        notices.clear();
    }
    let took = started.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").context("failed to read the peak memory")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = peak
        .and_then(|rest| rest.split_whitespace().next())
        .context("the system reports no peak memory")?
        .parse()?;
    Ok(format!("{} {}", seconds as f64 / took, kib * 1024.0 / 1e6))
}

fn stage(scenario: &str, settings: &[&str], steps: Steps) -> anyhow::Result<(Stage, Voice)> {
    let settings: Vec<Setting> = settings
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_, _>>()
        .map_err(anyhow::Error::msg)?;
    let scenario = Scenario::load(scenario, &settings)?;
    let path: EndpointPath = "dynamo/my_component/my_endpoint".parse()?;
    let pool = WorkerSubject::new(&path, Layout::Hashed, None)?.to_string();
    let ids = ids::seeded(SEED, &pool, scenario.workers);
    let config = scenario.fleet(SEED, &ids, steps)?;
    let stage = Stage::new(&config, &ids, &scenario.fault, 1).map_err(anyhow::Error::msg)?;
    let voice = Voice {
        path,
        layout: Layout::Hashed,
        shape: Some(StatsShape::Nested),
        service: Service::Own,
        seed: SEED,
        first_id: ids[0],
    };
    Ok((stage, voice))
}

/// Replies a second, ours and those of a bare loop: the best of three turns each, one after the other.
async fn replies(url: &str) -> anyhow::Result<(f64, f64)> {
    let servers: Servers = url.parse()?;
    let (mut stage, voice) = stage("fleet-10k", &["workers=10000"], Steps::AtOnce)?;
    stage.advance(20_000_000_000, &mut Journal::default(), &mut Vec::new());
    let identities: Vec<Identity> = (0..WORKERS as usize)
        .map(|worker| {
            voice.identity(
                stage.id(worker),
                "0123456789abcdef0123456789abcdef",
                "2026-01-02T03:04:05Z",
            )
        })
        .collect::<Result<_, _>>()?;
    let mut payloads = Vec::new();
    for (worker, identity) in identities.iter().enumerate() {
        let mut reply = Vec::new();
        voice.stats(identity, &stage.sample(worker), &mut reply);
        payloads.push(Bytes::from(reply));
    }
    let (mut ours, mut bare) = (0.0_f64, 0.0_f64);
    for _ in 0..3 {
        let link = || Link::new(servers.clone(), Options::named("bench"));
        bare = bare.max(bare_loop(&link().connect_now().await?, &payloads).await?);
        ours = ours.max(our_replies(link(), &stage, &voice, &identities).await?);
    }
    Ok((ours, bare))
}

async fn bare_loop(client: &Client, payloads: &[Bytes]) -> anyhow::Result<f64> {
    let subject = Subject::from("bench.replies");
    let started = Instant::now();
    for _ in 0..ROUNDS {
        for payload in payloads {
            client.publish(subject.clone(), payload.clone()).await?;
        }
    }
    arrived(client).await?;
    Ok(per_second(started.elapsed()))
}

async fn our_replies(
    link: Link,
    stage: &Stage,
    voice: &Voice,
    identities: &[Identity],
) -> anyhow::Result<f64> {
    let client = link.connect_now().await?;
    let line = Line::new(link, client.clone(), None);
    let (subject, mut batch) = (Subject::from("bench.replies"), Batch::default());
    let started = Instant::now();
    for _ in 0..ROUNDS {
        for (worker, identity) in identities.iter().enumerate() {
            let start = batch.buffer.len();
            let outcome = voice.stats(identity, &stage.sample(worker), &mut batch.buffer);
            batch.add(start, outcome.times);
            if batch.len() == BATCH || worker + 1 == identities.len() {
                ensure!(
                    line.send_in_turn(batch.take(&subject)).await,
                    "the connection is lost"
                );
            }
        }
    }
    line.taken().await;
    arrived(&client).await?;
    Ok(per_second(started.elapsed()))
}

/// Waits until the server has read all that was published: what is published last comes back.
async fn arrived(client: &Client) -> anyhow::Result<()> {
    let inbox = client.new_inbox();
    let mut echoes = client.subscribe(inbox.clone()).await?;
    client.publish(inbox, Bytes::new()).await?;
    let echo = tokio::time::timeout(Duration::from_secs(60), echoes.next()).await?;
    echo.map(|_| ()).context("the connection is lost")
}

fn per_second(took: Duration) -> f64 {
    ROUNDS as f64 * f64::from(WORKERS) / took.as_secs_f64()
}
