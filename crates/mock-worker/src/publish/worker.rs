//! [`Worker`]: what the process of one worker publishes by itself: its load when it changed, its forward passes, and
//! heartbeats when no pass has ended for a while.

use protocol::events::write::LoadCounts;
use protocol::events::{ForwardPass, Queued, Scheduled, Topic};
use protocol::{KvMetrics, WorkerId};
use sim::Pass;

use super::wire::{Data, Event};
use super::{Circumstances, Delivery, LoadForm, Numbering, Saying, Style};
use crate::reply::stats_of;

/// How long a change of the load waits for further ones: 1 ms.
const DEBOUNCE: u64 = 1_000_000;

/// When a heartbeat is due after the last pass or heartbeat: 1 s.
const HEARTBEAT: u64 = 1_000_000_000;

/// One worker's process.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) id: WorkerId,
    /// Distinct among all processes of the fleet.
    pub(super) lives: u64,
    pub(super) hits: Numbering,
    loads: Numbering,
    pub(super) sequences: Numbering,
    passes: Numbering,
    /// Of the last pass or heartbeat.
    counter_id: u64,
    /// When that was; `None` before the process is there.
    last: Option<u64>,
    blocks: u64,
    /// What of the load makes it another one: counts that the generation reports.
    state: [u64; 3],
    reported: Option<[u64; 3]>,
    /// When a changed load is reported.
    due: Option<u64>,
}

impl Worker {
    /// A process that is there since a time.
    pub(super) fn new(style: &Style, id: WorkerId, lives: u64, since: Option<u64>) -> Self {
        let numbering = |topic| style.numbering(id, lives, topic);
        Self {
            id,
            lives,
            hits: numbering(Topic::KvHitRate),
            loads: numbering(Topic::KvMetrics),
            sequences: numbering(Topic::ActiveSequences),
            passes: numbering(Topic::ForwardPass),
            counter_id: 0,
            last: since,
            blocks: 0,
            state: [0; 3],
            reported: None,
            due: since.map(|since| since + DEBOUNCE),
        }
    }

    /// A pass has ended.
    pub(super) fn pass(&mut self, pass: &Pass, says: &mut Saying<'_, impl Circumstances>) {
        self.report_load(pass.time_ns - 1, says);
        self.blocks = pass.kv_active_blocks;
        self.state = match says.style.generation.load() {
            Some(LoadForm::Data) => [
                self.blocks,
                pass.prefill.requests + pass.decode.requests,
                pass.waiting.requests + pass.set_back.requests,
            ],
            _ => [self.blocks, 0, 0],
        };
        if self.reported != Some(self.state) {
            self.due.get_or_insert(pass.time_ns + DEBOUNCE);
        }
        self.beat(pass.time_ns - 1, says);
        self.last = Some(pass.time_ns);
        let (scheduled, queued) = of_pass(pass);
        self.say_pass(pass.time_ns, pass.wall_ns as f64 / 1e9, scheduled, queued, says);
    }

    /// Says what is due up to a time without a pass.
    pub(super) fn rest(&mut self, to: u64, says: &mut Saying<'_, impl Circumstances>) {
        if !says.circumstances.is_up(says.place) {
            (self.last, self.due) = (None, None);
            return;
        }
        self.report_load(to, says);
        self.beat(to, says);
    }

    /// Heartbeats that are due up to a time.
    fn beat(&mut self, to: u64, says: &mut Saying<'_, impl Circumstances>) {
        while let Some(due) = self.last.map(|last| last + HEARTBEAT).filter(|due| *due <= to) {
            self.last = Some(due);
            self.say_pass(due, 0.0, Scheduled::default(), Queued::default(), says);
        }
    }

    fn say_pass(
        &mut self,
        time_ns: u64,
        wall_time: f64,
        scheduled: Scheduled,
        queued: Queued,
        says: &mut Saying<'_, impl Circumstances>,
    ) {
        let delivery = says.delivery(time_ns);
        if !says.style.generation.has_passes() || delivery == Delivery::Withheld {
            return;
        }
        self.counter_id += 1;
        let pass = ForwardPass {
            worker_id: self.id,
            dp_rank: 0,
            counter_id: self.counter_id,
            wall_time,
            scheduled,
            queued,
        };
        let is_lost = delivery == Delivery::Lost;
        let (topic, event) = (Topic::ForwardPass, Event::Pass(pass));
        says.say(&mut self.passes, self.id, time_ns, topic, event, is_lost);
    }

    /// The load, if it changed and is due up to a time.
    fn report_load(&mut self, to: u64, says: &mut Saying<'_, impl Circumstances>) {
        let Some(due) = self.due.take_if(|due| *due <= to) else {
            return;
        };
        let delivery = says.delivery(due);
        let is_new = self.reported != Some(self.state) && delivery != Delivery::Withheld;
        let Some(form) = says.style.generation.load().filter(|_| is_new) else {
            return;
        };
        let Some(event) = self.load(form, says) else {
            return;
        };
        self.reported = Some(self.state);
        let is_lost = delivery == Delivery::Lost;
        says.say(&mut self.loads, self.id, due, Topic::KvMetrics, event, is_lost);
    }

    fn load(&self, form: LoadForm, says: &Saying<'_, impl Circumstances>) -> Option<Event> {
        let counts = LoadCounts {
            worker_id: self.id,
            ..LoadCounts::default()
        };
        let release = says.style.generation.release();
        let blocks = Some(self.blocks);
        Some(match form {
            LoadForm::Data => {
                let load = says.circumstances.load(says.place)?;
                Event::Data(Data::new(&KvMetrics::new(self.id, stats_of(&load))))
            }
            LoadForm::ActiveBlocks => {
                let active_decode_blocks = blocks;
                Event::Load(
                    LoadCounts {
                        active_decode_blocks,
                        ..counts
                    },
                    release,
                )
            }
            LoadForm::UsedBlocks => {
                let kv_used_blocks = blocks;
                Event::Load(
                    LoadCounts {
                        kv_used_blocks,
                        ..counts
                    },
                    release,
                )
            }
        })
    }
}

/// What an engine reports of a pass.
fn of_pass(pass: &Pass) -> (Scheduled, Queued) {
    let scheduled = Scheduled {
        prefill_requests: pass.prefill.requests,
        prefill_tokens: pass.prefill.tokens,
        prefill_length_variance: pass.prefill.variance,
        prefill_kv_tokens: pass.prefill_kv_tokens,
        decode_requests: pass.decode.requests,
        decode_kv_tokens: pass.decode.tokens,
        decode_kv_variance: pass.decode.variance,
    };
    let queued = Queued {
        prefill_requests: pass.waiting.requests,
        prefill_tokens: pass.waiting.tokens,
        prefill_length_variance: pass.waiting.variance,
        decode_requests: pass.set_back.requests,
        decode_kv_tokens: pass.set_back.tokens,
        decode_kv_variance: pass.set_back.variance,
    };
    (scheduled, queued)
}
