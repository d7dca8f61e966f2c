//! [`Throughput`]: tokens in a second, since the page was last asked for.

use crate::stage::Engine;

/// What the page showed last.
#[derive(Debug, Default)]
pub(in crate::app) struct Throughput {
    at: u64,
    tokens: Vec<u64>,
    rates: Vec<f64>,
}

impl Throughput {
    /// Gives each engine the tokens that it made in a second since the last time. While no time has passed, they stay.
    pub(in crate::app) fn measure(&mut self, now: u64, engines: &mut [Engine]) {
        let seconds = now.saturating_sub(self.at) as f64 / 1e9;
        if seconds > 0.0 {
            let tokens = engines.iter().map(|engine| engine.view.counters.output_tokens);
            let tokens: Vec<u64> = tokens.collect();
            let before = |place: usize| self.tokens.get(place).copied().unwrap_or(0);
            let rate = |(place, now): (usize, &u64)| (now - before(place)) as f64 / seconds;
            self.rates = tokens.iter().enumerate().map(rate).collect();
            (self.at, self.tokens) = (now, tokens);
        }
        for (engine, rate) in engines.iter_mut().zip(&self.rates) {
            engine.tokens_per_second = *rate;
        }
    }
}
