//! What may happen to a core, as a sequence that proptest can shorten.

use proptest::prelude::*;

use super::super::bench::{Hearing, Message};
use super::super::*;
use crate::{NameGlob, Plan, Selector};

/// One thing that happens.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Wait(u32),
    Silence(usize, bool),
    Latency(usize, u32),
    Copies(usize, u32),
    Work(usize, u64),
    Restart(usize, bool),
    Counters(usize, usize),
    Data(usize, usize),
    Info(usize, usize),
    /// A reply to a round as many before the last.
    Reply(usize, u64),
    Garbage(u32),
    NoResponders,
    AskFailed,
    Link(bool),
    Server(bool),
    Hearing(Hearing),
    Hits(u64, u64),
    Load(u64, u64, u64, usize),
    Pass(u64, u64, u64, u64),
    /// An event of a cache: of which worker, with which number, and what.
    Cache(u64, u64, usize),
    /// Of which worker's request something is reported, what, and whether the worker reports it.
    Request(u64, usize, usize, bool),
    Plan(usize),
}

const ACTORS: usize = 8;
const DATA: [&str; 6] = [
    r#"{"kv_active_blocks": 7}"#,
    "null",
    "[1]",
    r#"{"kvActiveBlocks": 7}"#,
    r#"{"kv_active_blocks": -1, "num_requests_waiting": 3}"#,
    r#"{"worker_stats": {"request_active_slots": 1, "request_total_slots": 4}}"#,
];

const CACHE: [&str; 4] = [
    r#"{"stored": {"blocks": [1, 2]}}"#,
    r#"{"removed": {"block_hashes": [1]}}"#,
    r#""cleared""#,
    r#""paused""#,
];
const REQUEST: [&str; 3] = [
    r#"{"AddRequest": {"isl": 37}}"#,
    r#""MarkPrefillCompleted""#,
    r#""Free""#,
];

/// How many plans there are.
pub(super) const PLANS: usize = 6;

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..50)
}

fn step() -> impl Strategy<Value = Step> {
    let actor = || 0..ACTORS;
    prop_oneof![
        12 => (0..4500_u32).prop_map(Step::Wait),
        4 => (actor(), any::<bool>()).prop_map(|(actor, is)| Step::Silence(actor, is)),
        4 => (actor(), 0..4500_u32).prop_map(|(actor, ms)| Step::Latency(actor, ms)),
        2 => (actor(), 1..4_u32).prop_map(|(actor, copies)| Step::Copies(actor, copies)),
        4 => (actor(), 0..50_u64).prop_map(|(actor, requests)| Step::Work(actor, requests)),
        4 => (actor(), any::<bool>()).prop_map(|(actor, same)| Step::Restart(actor, same)),
        2 => (actor(), 0..4_usize).prop_map(|(actor, form)| Step::Counters(actor, form)),
        3 => (actor(), 0..DATA.len()).prop_map(|(actor, data)| Step::Data(actor, data)),
        2 => (actor(), 0..4_usize).prop_map(|(actor, info)| Step::Info(actor, info)),
        4 => (actor(), 0..5_u64).prop_map(|(actor, back)| Step::Reply(actor, back)),
        1 => (0..3000_u32).prop_map(Step::Garbage),
        1 => Just(Step::NoResponders),
        1 => Just(Step::AskFailed),
        2 => any::<bool>().prop_map(Step::Link),
        2 => any::<bool>().prop_map(Step::Server),
        1 => prop_oneof![Just(Hearing::All), Just(Hearing::OneOfEachService), Just(Hearing::One)]
            .prop_map(Step::Hearing),
        2 => (0..7_u64, 0..9_u64).prop_map(|(id, blocks)| Step::Hits(id, blocks)),
        3 => (0..7_u64, 0..3_u64, 0..99_u64, 0..3_usize)
            .prop_map(|(id, rank, blocks, source)| Step::Load(id, rank, blocks, source)),
        3 => (0..7_u64, 0..3_u64, 0..9_u64, 0..3_u64)
            .prop_map(|(id, rank, counter, decode)| Step::Pass(id, rank, counter, decode)),
        3 => (0..7_u64, 0..9_u64, 0..CACHE.len()).prop_map(|(id, event, what)| Step::Cache(id, event, what)),
        4 => (0..7_u64, 0..5_usize, 0..REQUEST.len(), any::<bool>())
            .prop_map(|(id, request, what, is_own)| Step::Request(id, request, what, is_own)),
        2 => (0..PLANS).prop_map(Step::Plan),
    ]
}

/// Workers of two components, two of which share an id; a static one; one with endpoints of both; a plain service, and one
/// that claims another's instance id.
fn actors() -> Vec<Actor> {
    let mut impostor = worker("a", "1", 9, 0).info(Info::Never);
    "impostor".clone_into(&mut impostor.service);
    let actors = vec![
        worker("a", "1", 1, 0),
        worker("b", "2", 2, 0).version("1.6.1").latency(40),
        worker("z", "1", 3, 0).started("2026-01-02T00:00:00Z").latency(90),
        Actor::of("d", "d", "3").latency(300),
        Actor::plain("orders", "o", "orders.create").latency(10),
        worker("s", "", 4, 0)
            .subjects(&["dynamo_c.gen"])
            .info(Info::Never),
        worker("t", "", 5, 0)
            .subjects(&["dynamo_c.gen-5", "dynamo_d.gen-5"])
            .info(Info::NoResponders),
        impostor,
    ];
    assert_eq!(actors.len(), ACTORS);
    actors
}

pub(super) fn plan_of(place: usize) -> Plan {
    let mut plan = match place {
        0 => plan(&[POOL]),
        1 => plan(&["dynamo/d/gen", POOL]),
        2 => plan(&["dynamo/*/*"]),
        3 => plan(&[POOL, "dynamo/*/gen"]),
        4 => plan(&["other/x/y", "dynamo/d/gen"]),
        _ => plan(&["*/*/gen"]),
    };
    plan.settings.topics.kv_events = place.is_multiple_of(2);
    plan.settings.topics.active_sequences = place < 4;
    if place == 3 {
        plan.excludes.push("*/d/*".parse().expect("a glob"));
        plan.settings.round_timeout = plan.settings.poll_interval;
        plan.settings.stale_after = 1;
        plan.settings.event_max_age = 5 * SECOND;
        plan.settings.event_idle_gone_after = 8 * SECOND;
    }
    if place == 4 {
        plan.selectors.push(Selector::Services(NameGlob::new("orders")));
        plan.excluded_services.push(NameGlob::new("dynamo_*"));
    }
    if place == 5 {
        plan.selectors.push(Selector::Services(NameGlob::new("*")));
        plan.metadata.push("pod".parse().expect("a key"));
        plan.settings.poll_interval = SECOND / 5;
        plan.settings.round_timeout = SECOND / 5;
        plan.settings.gone_after = 2;
    }
    plan
}

pub(super) fn run(bench: &mut Bench, steps: &[Step]) {
    bench.actors = actors();
    for (place, step) in steps.iter().enumerate() {
        perform(bench, step, place);
    }
}

fn perform(bench: &mut Bench, step: &Step, place: usize) {
    match *step {
        Step::Wait(ms) => {
            bench.run(ms * MS);
        }
        Step::Silence(actor, is_silent) => bench.actors[actor].is_silent = is_silent,
        Step::Latency(actor, ms) => bench.actors[actor].latency = ms * MS,
        Step::Copies(actor, copies) => bench.actors[actor].copies = copies,
        Step::Work(actor, requests) => {
            let known: u64 = bench.actors[actor].requests.parse().unwrap_or(0);
            bench.actors[actor] = bench.actors[actor].clone().requests(known + requests);
        }
        Step::Restart(actor, keeps_id) => {
            let started = format!("2026-02-01T00:{place:02}:00Z");
            bench.actors[actor] = bench.actors[actor].clone().started(&started).requests(0);
            if !keeps_id {
                bench.actors[actor].id.push('\'');
            }
        }
        Step::Counters(actor, form) => {
            let form = ["null", "-1", "3", "1e3"][form];
            form.clone_into(&mut bench.actors[actor].requests);
            if place.is_multiple_of(2) {
                form.clone_into(&mut bench.actors[actor].seconds);
            }
        }
        Step::Data(actor, data) => DATA[data].clone_into(&mut bench.actors[actor].data),
        Step::Info(actor, info) => {
            let says = |text: &str| Info::Says(text.to_owned());
            bench.actors[actor].info = match info {
                0 => Info::Never,
                1 => Info::NoResponders,
                2 => says("takes orders"),
                _ => says("Dynamo component c in namespace dynamo"),
            };
            bench.actors[actor].info_latency = (place as u32 % 7) * 200 * MS;
        }
        Step::Reply(actor, back) => {
            let round = bench.round.saturating_sub(back);
            bench.post(MS, Message::Reply(Some(round), bench.actors[actor].reply()));
        }
        Step::Garbage(ms) => bench.post(ms * MS, Message::Reply(Some(bench.round), "garbage".to_owned())),
        Step::NoResponders => bench.post(MS, Message::NoResponders(bench.round)),
        Step::AskFailed => {
            let round = bench.round;
            let reason = Some("refused".to_owned());
            bench.handle(crate::Input::AskFailed { round, reason });
        }
        Step::Link(false) if bench.link.connected => bench.lose_link(),
        Step::Link(true) => bench.restore_link(),
        Step::Link(false) => {}
        Step::Server(is_alive) => bench.is_alive = is_alive,
        Step::Hearing(hearing) => bench.hearing = hearing,
        Step::Hits(id, blocks) => {
            for more in 0..5 {
                let (id, found) = ((id + more) % 7, (blocks + more) % 9);
                let text = format!(r#"{{"worker_id": {id}, "isl_blocks": 7, "overlap_blocks": {found}}}"#);
                publish(bench, "kv-hit-rate", text.as_bytes());
            }
            bench.hand_over();
        }
        Step::Load(id, rank, blocks, source) => {
            let field = ["active_decode_blocks", "kv_used_blocks", "active_prefill_tokens"][source];
            let text = format!(r#"{{"worker_id": {id}, "dp_rank": {rank}, "{field}": {blocks}}}"#);
            publish(bench, "kv_metrics", text.as_bytes());
            bench.heard.insert(id.to_string(), bench.now.unix);
            bench.hand_over();
        }
        Step::Pass(id, rank, counter, decode) => {
            let (seconds, decode) = (f64::from(u32::from(decode > 0)) / 64.0, decode);
            let text = format!(
                r#"{{"worker_id": "{id}", "dp_rank": {rank}, "counter_id": {counter}, "wall_time": {seconds},
                    "scheduled_requests": {{"num_decode_requests": {decode}}}, "queued_requests": {{}}}}"#
            );
            publish(bench, "forward-pass-metrics", text.as_bytes());
            bench.heard.insert(id.to_string(), bench.now.unix);
            bench.hand_over();
        }
        Step::Cache(id, event, what) => {
            let data = CACHE[what];
            let one = |event: u64| {
                format!(r#"{{"worker_id": {id}, "event": {{"event_id": {event}, "data": {data}}}}}"#)
            };
            let text = format!("[{}, {}]", one(event), one(event + 1));
            publish(bench, "kv-events", text.as_bytes());
            bench.heard.insert(id.to_string(), bench.now.unix);
            bench.hand_over();
        }
        Step::Request(id, request, what, is_own) => {
            let router = if is_own { id } else { 99 };
            let text = format!(
                r#"{{"request_id": "r{request}", "worker": {{"worker_id": {id}}}, "data": {data}, "router_id": {router},
                    "lora_name": "l{lora}"}}"#,
                data = REQUEST[what],
                lora = request % 2,
            );
            publish(bench, "active_sequences_events", text.as_bytes());
            if is_own {
                bench.heard.insert(id.to_string(), bench.now.unix);
            }
            bench.hand_over();
        }
        Step::Plan(place) => bench.take(plan_of(place)),
    }
}

/// Publishes an event for each scope and component.
fn publish(bench: &mut Bench, topic: &str, payload: &[u8]) {
    for scope in [
        "dynamo",
        "dynamo.component.c",
        "dynamo.component.c.endpoint.gen",
        "dynamo.component.d.endpoint.gen",
        "other",
    ] {
        bench.publish_event(&format!("namespace.{scope}.{topic}"), payload);
    }
}
