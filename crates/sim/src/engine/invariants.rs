//! The laws of an engine, looked at after every event of a debug build.

use super::{Engine, Mode};
use crate::kv_pool::blocks_of;

impl Engine {
    /// # Panics
    /// In a debug build, where a law is broken.
    pub(super) fn debug_check(&self, now: u64) {
        if cfg!(debug_assertions)
            && let Err(broken) = self.check(now)
        {
            panic!("at {now} ns: {broken}\n{self:#?}");
        }
    }

    /// The laws that hold at every moment.
    fn check(&self, now: u64) -> Result<(), String> {
        let law = |holds: bool, law: &str| match holds {
            true => Ok(()),
            false => Err(law.to_owned()),
        };
        let chains = self
            .running
            .iter()
            .map(|running| running.request.chain.as_slice());
        let private = self
            .running
            .iter()
            .map(|running| running.blocks - blocks_of(&running.request.chain))
            .sum();
        self.pool.check(private, chains)?;
        let (counters, running) = (&self.counters, self.running.len() as u64);
        law(running <= self.capacity.slots, "law 1: running <= slots")?;
        let waiting = self.waiting.len() as u64;
        let ended = counters.finished + counters.cancelled + counters.rejected + counters.unservable;
        law(
            counters.arrivals == ended + waiting + running,
            "law 2: no request is lost or made up",
        )?;
        let begun = counters.finished + counters.cancelled_running + running + counters.preemptions;
        law(counters.starts == begun, "law 3: every start has its end")?;
        law(
            counters.hit_blocks <= counters.lookup_blocks,
            "law 5: hits <= lookups",
        )?;
        let is_idle = self.step.is_none();
        law(!is_idle || waiting + running == 0, "law 6: work-conserving")?;
        law(
            is_idle || self.mode != Mode::Down,
            "a worker that is down does nothing",
        )?;
        let in_order = self
            .waiting
            .iter()
            .filter(|queued| queued.set_back.is_none())
            .is_sorted_by(|a, b| a.request.arrived <= b.request.arrived);
        law(in_order, "law 6: first in, first out")?;
        for running in &self.running {
            let request = &running.request;
            law(
                request.arrived <= running.started && running.started <= now,
                "law 4: arrive <= start <= now",
            )?;
            if running.prefill_left == 0 {
                law(
                    running.kv + 1 == request.input + running.generated,
                    "a token for each token",
                )?;
                law(
                    running.blocks == self.capacity.blocks(running.kv),
                    "blocks for each token",
                )?;
            }
        }
        if let Some(load) = self.view(now).load {
            law(
                load.request_active_slots <= load.request_total_slots,
                "law 1: active <= total slots",
            )?;
            law(
                load.kv_active_blocks <= load.kv_total_blocks,
                "law 1: active <= total blocks",
            )?;
        }
        Ok(())
    }
}
