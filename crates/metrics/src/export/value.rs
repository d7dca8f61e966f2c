//! [`Value`]: a number of a sample, and its shortest text.

/// The value of one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    /// A whole number.
    Count(u64),
    /// Any other.
    Number(f64),
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<usize> for Value {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Count(u64::from(flag))
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl Value {
    /// Whether it can be on the page: a value that is unknown is absent, never NaN.
    pub(crate) fn is_finite(self) -> bool {
        match self {
            Self::Count(_) => true,
            Self::Number(number) => number.is_finite(),
        }
    }

    /// Writes a finite value. Whole numbers have no fraction: people and their scripts look for `4`, not `4.0`.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Count(count) => write_whole(out, count),
            Self::Number(number) => match whole(number) {
                Some(whole) => write_whole(out, whole),
                None => write_number(out, number),
            },
        }
    }
}

fn write_whole(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Writes a finite number, with a fraction if it has no exponent.
pub(crate) fn write_number(out: &mut Vec<u8>, number: f64) {
    out.extend_from_slice(ryu::Buffer::new().format_finite(number).as_bytes());
}

/// The number as a whole one, if it is one that a float holds exactly.
fn whole(number: f64) -> Option<i64> {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    let whole = number as i64;
    (whole as f64 == number && number.abs() <= LARGEST).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_short_as_they_can_be_and_read_back_exactly() {
        fn check(value: impl Into<Value>, expected: &str) {
            let mut text = Vec::new();
            value.into().write(&mut text);
            assert_eq!(String::from_utf8_lossy(&text), expected);
        }
        check(u64::MAX, "18446744073709551615");
        check(4.0, "4");
        check(-4.0, "-4");
        check(-0.0, "0");
        check(0.1 + 0.2, "0.30000000000000004");
        check(1_767_225_600.25, "1767225600.25");
        check(9_007_199_254_740_992.0, "9007199254740992");
        check(1e22, "1e22");
        check(5e-324, "5e-324");
        check(true, "1");
    }
}
