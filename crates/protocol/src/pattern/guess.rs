//! Reading a subject by a template without knowing whose it is.

use super::template::Segment;

/// The longest subject that is guessed at: what a NATS server accepts as a control line.
const MAX_SUBJECT_BYTES: usize = 4096;

/// How many readings of a subject are tried. Real ones take a few hundred; a hostile one that is all separators
/// has as many as its length to the power of the placeholders.
const MAX_GUESS_STEPS: usize = 20_000;

/// The names in one reading of a subject.
#[derive(Default)]
pub(super) struct Guess<'a> {
    pub(super) namespace: Option<&'a str>,
    pub(super) component: Option<&'a str>,
    pub(super) endpoint: Option<&'a str>,
    steps: usize,
}

impl<'a> Guess<'a> {
    /// The first reading that fits, or `None` where none does or too many would have to be tried.
    pub(super) fn read(segments: &[Segment], subject: &'a str) -> Option<Self> {
        let mut guess = Self::default();
        (subject.len() <= MAX_SUBJECT_BYTES && guess.walk(segments, subject)).then_some(guess)
    }

    /// Fits the segments to the text, trying every end that a placeholder can have.
    fn walk(&mut self, segments: &[Segment], text: &'a str) -> bool {
        self.steps += 1;
        if self.steps > MAX_GUESS_STEPS {
            return false;
        }
        let Some((first, rest)) = segments.split_first() else {
            return text.is_empty();
        };
        if let Segment::Literal(literal) = first {
            return text
                .strip_prefix(literal.as_str())
                .is_some_and(|text| self.walk(rest, text));
        }
        let longest = text.find('.').unwrap_or(text.len());
        let ends = (1..=longest).filter(|end| text.is_char_boundary(*end));
        let mut fits = |end: usize| {
            let (found, text) = text.split_at(end);
            match first {
                Segment::Namespace => self.namespace = Some(found),
                Segment::Component => self.component = Some(found),
                Segment::Endpoint => self.endpoint = Some(found),
                Segment::Hash | Segment::WorkerId(_) | Segment::Literal(_) => {}
            }
            self.walk(rest, text)
        };
        if *first == Segment::Namespace {
            ends.into_iter().any(&mut fits)
        } else {
            ends.rev().any(&mut fits)
        }
    }
}
