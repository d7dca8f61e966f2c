//! Steps: what is decided at the start of one, and what has happened at its end.

use super::latencies::{Prompt, Times};
use super::{Engine, Listener, Queued, Running, SetBack, Steps};
use crate::journal::{Group, Pass, RequestChange};
use crate::kv_pool::blocks_of;
use crate::request::Ending;

/// One step under way, or several that were planned at once.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) start: u64,
    pub(super) end: u64,
    /// How many.
    pub(super) count: u64,
    /// Requests that decode, and the tokens in their KV-caches at the start.
    pub(super) sequences: u64,
    pub(super) kv_tokens: u64,
}

impl Engine {
    /// A step ends: everyone has what it brought, some are done, and the next one begins.
    pub(crate) fn end_step(&mut self, now: u64, listener: &mut impl Listener) {
        let step = self.step.take().expect("a step is under way");
        debug_assert_eq!(step.end, now, "a step ends when it was to end");
        let mut growth = 0;
        let is_reported = self.is_reported();
        if let Some(latencies) = &mut self.latencies {
            match self.running.iter().map(|running| running.chunk).sum() {
                0 => latencies.decoded(&self.capacity, &step, step.count),
                prefill => latencies.mixed(&step, prefill),
            }
        }
        for running in &mut self.running {
            if running.prefill_left == 0 {
                running.kv += step.count;
                running.generated += step.count;
                self.counters.output_tokens += step.count;
                let blocks = self.capacity.blocks(running.kv);
                growth += blocks - running.blocks;
                running.blocks = blocks;
                continue;
            }
            running.prefill_left -= running.chunk;
            self.counters.input_tokens += running.chunk;
            running.chunk = 0;
            if running.prefill_left == 0 {
                // The end of the prompt brings the next token of the answer with it.
                running.kv = running.request.input + running.generated;
                running.generated += 1;
                self.counters.output_tokens += 1;
                if is_reported && running.first_token.is_none() {
                    listener.changed(now, running.request.id, RequestChange::FirstToken);
                }
                if let Some(latencies) = &mut self.latencies
                    && running.first_token.is_none()
                {
                    let prompt = Prompt {
                        tokens: running.request.input,
                        computed: running.computed,
                    };
                    latencies.began(now - running.request.arrived, prompt);
                }
                running.first_token.get_or_insert(now);
            }
        }
        self.pool.grow(growth);
        self.end_requests(now, listener);
        if is_reported {
            listener.passed(Pass {
                time_ns: now,
                wall_ns: now - step.start,
                kv_active_blocks: self.pool.active(),
                ..self.pass
            });
        }
        self.show();
        self.retire();
        self.begin_step(now, listener);
        self.debug_check(now);
    }

    /// Something has changed: an idle engine begins, and a jump ends with the step that is under way now.
    pub(super) fn look_again(&mut self, now: u64, listener: &mut impl Listener) {
        match &self.step {
            None => self.begin_step(now, listener),
            Some(step) if step.count > 1 => {
                let count = self.steps_done(now) + 1;
                let step = self.step.as_mut().expect("a step is under way");
                if count < step.count {
                    step.count = count;
                    step.end = step.start + self.capacity.steps_time(count, step.sequences, step.kv_tokens);
                    self.epoch += 1;
                }
            }
            Some(_) => {}
        }
    }

    /// How many of the planned steps have ended at `now`; the last of them has not, for its end is an event.
    pub(super) fn steps_done(&self, now: u64) -> u64 {
        let Some(step) = self.step.as_ref().filter(|step| step.count > 1) else {
            return 0;
        };
        let time = |steps| self.capacity.steps_time(steps, step.sequences, step.kv_tokens);
        let elapsed = now - step.start;
        let (mut low, mut high) = (0, step.count - 1);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if time(middle) <= elapsed {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        low
    }

    /// Takes those of the planned steps that have ended at `now`, and leaves the others. Whoever looks into the cache
    /// between them must find it as it is after each: with every block that requests grow by, it may lose another.
    pub(crate) fn settle(&mut self, now: u64) {
        let done = self.steps_done(now);
        if done == 0 {
            return;
        }
        self.pool.grow(self.growth(done));
        // Where several steps were planned at once, everyone decodes.
        for running in &mut self.running {
            running.kv += done;
            running.generated += done;
            running.blocks = self.capacity.blocks(running.kv);
        }
        let step = self.step.as_mut().expect("a step is under way");
        if let Some(latencies) = &mut self.latencies {
            latencies.decoded(&self.capacity, step, done);
        }
        self.counters.output_tokens += done * step.sequences;
        step.start += self.capacity.steps_time(done, step.sequences, step.kv_tokens);
        step.kv_tokens += done * step.sequences;
        step.count -= done;
        self.show();
    }

    /// Decides what the next step does, if there is anything to do.
    fn begin_step(&mut self, now: u64, listener: &mut impl Listener) {
        let set_back = self.counters.preemptions;
        let need = self.make_room();
        let made_room = self.counters.preemptions > set_back;
        let mut budget = self.capacity.token_budget;
        for running in &mut self.running {
            running.chunk = running.prefill_left.min(budget);
            budget -= running.chunk;
        }
        // Whoever was set back just now would otherwise be let in again, to be set back at the next step.
        if !made_room {
            self.admit(need, budget, now, listener);
        }
        if self.running.is_empty() {
            return;
        }
        if self.is_reported() {
            self.pass = self.planned();
        }
        let prefill: u64 = self.running.iter().map(|running| running.chunk).sum();
        let decoding = self.decoding();
        let (sequences, kv_tokens) =
            decoding.fold((0, 0), |(count, kv), running| (count + 1, kv + running.kv));
        let is_steady = self.running.iter().all(|running| running.prefill_left == 0);
        let (count, time) = if is_steady {
            let count = if made_room { 1 } else { self.foreseeable() };
            (count, self.capacity.steps_time(count, sequences, kv_tokens))
        } else {
            (1, self.capacity.step_time(sequences, kv_tokens, prefill))
        };
        self.epoch += 1;
        self.step = Some(Step {
            start: now,
            end: now.saturating_add(time),
            count,
            sequences,
            kv_tokens,
        });
    }

    /// What the step that begins now computes, and what waits meanwhile.
    fn planned(&self) -> Pass {
        let prompts = self.running.iter().filter(|running| running.chunk > 0);
        // What a request had of its answer when it was set back is computed anew, like a prompt.
        let length = |running: &Running| running.request.input + running.generated;
        let prefill = Group::of(prompts.clone().map(length));
        let cached = prompts
            .clone()
            .map(|running| length(running).saturating_sub(running.prefill_left));
        let new = || self.waiting.iter().filter(|queued| queued.set_back.is_none());
        let set_back = || self.waiting.iter().filter(|queued| queued.set_back.is_some());
        Pass {
            prefill: Group {
                tokens: prompts.clone().map(|running| running.chunk).sum(),
                ..prefill
            },
            prefill_kv_tokens: cached.sum(),
            decode: Group::of(self.decoding().map(length)),
            waiting: Group::of(new().map(|queued| queued.request.input)),
            set_back: Group::of(set_back().map(|queued| queued.request.input + queued.generated())),
            ..Pass::default()
        }
    }

    fn decoding(&self) -> impl Iterator<Item = &Running> + Clone {
        self.running.iter().filter(|running| running.prefill_left == 0)
    }

    /// Blocks that the decoding requests lack for `steps` more tokens each.
    pub(super) fn growth(&self, steps: u64) -> u64 {
        self.decoding()
            .map(|running| self.capacity.blocks(running.kv + steps) - running.blocks)
            .sum()
    }

    /// Sets the newest requests back until the others can decode; returns how many blocks that takes.
    fn make_room(&mut self) -> u64 {
        loop {
            let need = self.growth(1);
            if need <= self.pool.available() {
                return need;
            }
            let newest = self.running.pop().expect("one request alone always has room");
            self.give_back(&newest);
            self.counters.preemptions += 1;
            self.waiting.push_front(Queued {
                request: newest.request,
                set_back: Some(Box::new(SetBack {
                    generated: newest.generated,
                    started: newest.started,
                    computed: newest.computed,
                    first_token: newest.first_token,
                })),
            });
        }
    }

    /// Starts what is at the head of the queue while slots, budget and blocks allow.
    fn admit(&mut self, need: u64, mut budget: u64, now: u64, listener: &mut impl Listener) {
        while budget > 0 && (self.running.len() as u64) < self.capacity.slots {
            let Some(head) = self.waiting.front() else { break };
            let tokens = head.request.input + head.generated();
            let blocks = self.capacity.blocks(tokens);
            let Some(hits) = self.pool.admit(&head.request.chain, blocks, need) else {
                break;
            };
            let head = self.waiting.pop_front().expect("it has a head");
            // The last token must be computed for the next one to come, however much is cached.
            let prefill_left = tokens.saturating_sub(hits * self.capacity.block_size).max(1);
            let chunk = prefill_left.min(budget);
            budget -= chunk;
            self.counters.starts += 1;
            self.counters.lookup_blocks += blocks;
            self.counters.hit_blocks += hits;
            listener.looked_up(now, blocks, hits);
            if head.set_back.is_none() {
                if self.is_reported() {
                    let cached = head.request.input.saturating_sub(prefill_left);
                    listener.changed(now, head.request.id, RequestChange::Started { cached });
                }
                self.counters.queue_ns += now - head.request.arrived;
            }
            let before = head.set_back.map_or(
                SetBack {
                    generated: 0,
                    started: now,
                    computed: prefill_left,
                    first_token: None,
                },
                |set_back| *set_back,
            );
            self.running.push(Running {
                request: head.request,
                generated: before.generated,
                kv: 0,
                prefill_left,
                chunk,
                blocks,
                started: before.started,
                computed: before.computed,
                first_token: before.first_token,
                cancelled: false,
            });
        }
    }

    /// How many steps from now on are known: until a request ends, or blocks run out.
    fn foreseeable(&self) -> u64 {
        if self.steps != Steps::AtOnce {
            return 1;
        }
        let least_left = |running: &Running| running.request.output - running.generated;
        let mut high = self.running.iter().map(least_left).min().unwrap_or(1).max(1);
        if self.running.iter().any(|running| running.cancelled) {
            return 1;
        }
        let available = self.pool.available();
        let mut low = 1;
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.growth(middle) <= available {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        low
    }

    fn end_requests(&mut self, now: u64, listener: &mut impl Listener) {
        let is_over = |running: &Running| running.cancelled || running.generated >= running.request.output;
        while let Some(at) = self.running.iter().position(is_over) {
            let running = self.running.remove(at);
            if running.generated >= running.request.output {
                let kept = self.kept(&running);
                let private = running.blocks - blocks_of(&running.request.chain);
                self.pool.release(&running.request.chain, private, Some(kept));
                debug_assert!(
                    running.request.arrived <= running.started && running.started <= now,
                    "law 4"
                );
                debug_assert!(
                    running
                        .first_token
                        .is_some_and(|at| running.started <= at && at <= now),
                    "law 4"
                );
                let first_token = running.first_token.unwrap_or(now);
                self.counters.first_token_ns += first_token - running.request.arrived;
                if let Some(latencies) = &mut self.latencies {
                    let times = Times {
                        arrived: running.request.arrived,
                        started: running.started,
                        first_token,
                        finished: now,
                    };
                    let prompt = Prompt {
                        tokens: running.request.input,
                        computed: running.computed,
                    };
                    latencies.finished(times, prompt, running.request.output);
                }
                let kept = Some(kept).filter(|kept| kept.blocks > 0);
                self.end(running.request, Ending::Finished, now, kept, listener);
            } else {
                self.give_back(&running);
                self.counters.cancelled_running += 1;
                self.end(running.request, Ending::Cancelled, now, None, listener);
            }
        }
    }

    fn give_back(&mut self, running: &Running) {
        let private = running.blocks - blocks_of(&running.request.chain);
        self.pool.release(&running.request.chain, private, None);
    }
}
