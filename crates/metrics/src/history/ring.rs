//! [`Ring`]: the points of one pool or worker.

use super::POINTS;

/// What a point has, in the order of [`Point`].
pub(crate) const FIGURES: usize = 6;

/// KV use, waiting requests, use of slots, requests per second, ratio of errors, hit ratio. What is not known is not a
/// number.
pub(crate) type Point = [f32; FIGURES];

/// A point of which nothing is known.
pub(crate) const UNKNOWN: Point = [f32::NAN; FIGURES];

/// The last points.
#[derive(Debug)]
pub struct Ring {
    points: Box<[Point; POINTS]>,
    newest: u64,
}

impl Ring {
    /// Bytes of one ring.
    pub const BYTES: usize = size_of::<[Point; POINTS]>() + size_of::<Self>();

    pub(super) fn new(newest: u64) -> Self {
        Self {
            points: Box::new([UNKNOWN; POINTS]),
            newest,
        }
    }

    /// Writes the point of this number, which replaces an earlier one of the same time.
    pub(super) fn put(&mut self, number: u64, point: Point) {
        if number > self.newest {
            let skipped = (number - self.newest).min(POINTS as u64);
            for number in number + 1 - skipped..=number {
                self.points[place(number)] = UNKNOWN;
            }
            self.newest = number;
        }
        self.points[place(number)] = point;
    }

    /// The values of one figure up to the point of this number, the oldest first.
    pub(super) fn values(&self, figure: usize, newest: u64) -> impl Iterator<Item = Option<f64>> {
        (0..POINTS as u64).map(move |index| {
            let number = (newest + 1 + index).checked_sub(POINTS as u64)?;
            let is_kept = number <= self.newest && number + POINTS as u64 > self.newest;
            let value = is_kept.then(|| self.points[place(number)][figure])?;
            value.is_finite().then(|| f64::from(value))
        })
    }
}

fn place(number: u64) -> usize {
    (number % POINTS as u64) as usize
}
