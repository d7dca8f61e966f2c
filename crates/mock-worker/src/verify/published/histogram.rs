//! [`Histogram`]: values, and whether a page's histogram has them.

use super::{Kind, Pool, Report, difference, labels_of, same};
use crate::page::Page;

/// Values that a page counts in buckets.
#[derive(Debug, Clone, Default)]
pub(super) struct Histogram {
    values: Vec<f64>,
}

impl Histogram {
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        Self {
            values: values.collect(),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.values.extend(&other.values);
    }

    /// The series of a pool's histogram that differ: name, what it should be, and what it is.
    pub(super) fn differing(
        &self,
        page: &Page,
        pool: Pool<'_>,
        metric: &str,
    ) -> Vec<(String, f64, Option<f64>)> {
        let labels = labels_of(pool);
        let sum_of = |name: &str| {
            let mut values = page.samples(name, &labels).map(|sample| sample.value).peekable();
            values.peek().is_some().then_some(())?;
            Some(values.sum::<f64>())
        };
        let mut differing = Vec::new();
        let mut check = |series: String, expected: f64, shown: Option<f64>| {
            // A histogram without a value may be left out.
            let is_right = shown.map_or(self.values.is_empty(), |shown| same(shown, expected));
            if !is_right {
                differing.push((series, expected, shown));
            }
        };
        let name = format!("{metric}_count");
        check(name.clone(), self.values.len() as f64, sum_of(&name));
        let name = format!("{metric}_sum");
        check(name.clone(), self.values.iter().sum(), sum_of(&name));
        let name = format!("{metric}_bucket");
        for sample in page.samples(&name, &labels) {
            let Some(bound) = sample
                .labels
                .get("le")
                .and_then(|bound| bound.parse::<f64>().ok())
            else {
                continue;
            };
            let within = self.values.iter().filter(|value| **value <= bound).count();
            check(
                format!("{name}{{le=\"{bound}\"}}"),
                within as f64,
                Some(sample.value),
            );
        }
        differing
    }

    /// Adds to the report what differs.
    pub(super) fn compare(&self, page: &Page, pool: Pool<'_>, metric: &str, report: &mut Report) {
        report.fields += 1;
        for (series, expected, shown) in self.differing(page, pool, metric) {
            let field = format!("{series} of {}", pool.join("/"));
            let shown = super::super::fields::show(shown);
            report.add(difference(
                Kind::Page,
                None,
                &field,
                expected.to_string(),
                shown,
                None,
            ));
        }
    }
}
