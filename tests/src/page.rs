//! A metrics page, as the tests ask it: whatever is odd about it, or about the question, ends the test.

use std::fmt;
use std::ops::Deref;

pub use mock_worker::page::Sample;

/// All samples of a page; see [`mock_worker::page::Page`] for what it can be asked.
#[derive(Debug, Clone)]
pub struct Page(mock_worker::page::Page);

impl Page {
    /// Reads a page.
    ///
    /// # Panics
    /// At a line that is neither a comment nor a sample, or a series that occurs twice.
    pub fn parse(text: &str) -> Self {
        match mock_worker::page::Page::parse(text) {
            Ok(page) => Self(page),
            Err(error) => panic!("{error}"),
        }
    }

    /// The value of the one sample that has these labels, or `None` where there is none.
    ///
    /// # Panics
    /// When the labels fit several samples: then the question is wrong.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut matching = self.samples(name, labels);
        let first = matching.next()?;
        if let Some(second) = matching.next() {
            panic!("{name}{labels:?} fits several samples: {first:?} and {second:?}");
        }
        Some(first.value)
    }
}

impl Deref for Page {
    type Target = mock_worker::page::Page;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "a{x=\"1\"} 3\na{x=\"2\"} 4.5\nb 1e3 1700000000\n";

    #[test]
    fn one_sample_is_a_value_and_none_is_none() {
        let page = Page::parse(PAGE);
        assert_eq!(page.value("a", &[("x", "1")]), Some(3.0));
        assert_eq!(page.value("b", &[]), Some(1000.0));
        assert_eq!(page.value("a", &[("x", "3")]), None);
    }

    #[test]
    #[should_panic(expected = "fits several samples")]
    fn a_question_with_two_answers_is_refused() {
        Page::parse(PAGE).value("a", &[]);
    }

    #[test]
    #[should_panic(expected = "occurs twice")]
    fn a_series_that_stands_twice_is_noticed() {
        Page::parse("a{x=\"1\"} 1\na{x=\"1\"} 2\n");
    }
}
