//! [`Number`]: a number as JSON writes it, with the same value as `serde_json` gives it.

/// The most digits that always fit 64 bits.
const SAFE_DIGITS: usize = 19;

/// A number.
#[derive(Debug, PartialEq)]
pub(super) enum Number<'a> {
    /// A whole number of 64 bits without a sign.
    Natural(u64),
    /// Any other number as it is written; it may be beyond a float.
    Other(&'a str),
}

impl<'a> Number<'a> {
    /// Reads the number at this place, which begins with this byte. Returns its length, too.
    #[inline]
    pub(super) fn read(text: &'a str, start: usize, first: u8) -> Option<(Self, usize)> {
        let bytes = text.as_bytes().get(start..)?;
        let sign = usize::from(first == b'-');
        let (natural, digits) = digits(bytes.get(sign..)?);
        if digits == 0 || (digits > 1 && bytes[sign] == b'0') {
            return None;
        }
        let whole = sign + digits;
        let rest = bytes.get(whole..)?;
        let is_whole = !matches!(rest.first(), Some(b'.' | b'e' | b'E'));
        if is_whole && sign == 0 && digits <= SAFE_DIGITS {
            return Some((Self::Natural(natural), whole));
        }
        let length = whole + if is_whole { 0 } else { fraction(rest)? };
        let written = text.get(start..start + length)?;
        let number = match written.parse() {
            Ok(number) if is_whole && sign == 0 => Self::Natural(number),
            _ => Self::Other(written),
        };
        Some((number, length))
    }

    /// Its nearest float; `None` where it is beyond all of them.
    pub(super) fn float(self) -> Option<f64> {
        match self {
            Self::Natural(number) => Some(number as f64),
            Self::Other(written) => written.parse().ok().filter(|number: &f64| number.is_finite()),
        }
    }
}

/// The value and number of the digits at the beginning. The value is right up to [`SAFE_DIGITS`] digits.
#[inline]
fn digits(bytes: &[u8]) -> (u64, usize) {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (value, at);
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    (value, bytes.len())
}

/// The length of a fraction, an exponent, or both.
fn fraction(bytes: &[u8]) -> Option<usize> {
    let mut length = 0;
    if bytes.first() == Some(&b'.') {
        let (_, digits) = digits(&bytes[1..]);
        length += 1 + (digits > 0).then_some(digits)?;
    }
    if let Some(b'e' | b'E') = bytes.get(length) {
        length += 1;
        length += usize::from(matches!(bytes.get(length), Some(b'+' | b'-')));
        let (_, digits) = digits(&bytes[length..]);
        length += (digits > 0).then_some(digits)?;
    }
    Some(length)
}
