//! The time at which an instance started, as NATS clients write it.

use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// Reads a time of RFC 3339. Times in UTC, as clients write them, are read digit by digit, which is much cheaper.
pub(super) fn read(text: &str) -> Option<OffsetDateTime> {
    in_utc(text.as_bytes()).or_else(|| OffsetDateTime::parse(text, &Rfc3339).ok())
}

/// Reads `YYYY-MM-DDTHH:MM:SS[.fraction]Z` with at most nanoseconds; `None` for any other text.
fn in_utc(text: &[u8]) -> Option<OffsetDateTime> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', ref clock @ ..] = text else {
        return None;
    };
    let &[h1, h2, b':', i1, i2, b':', s1, s2, ref fraction @ .., b'Z'] = clock else {
        return None;
    };
    let nanos = match fraction {
        [] => 0,
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => {
            let missing = u32::try_from(9 - digits.len()).ok()?;
            number(digits)? * 10_u32.pow(missing)
        }
        _ => return None,
    };
    let two = |digits: [u8; 2]| number(&digits).and_then(|number| u8::try_from(number).ok());
    let year = i32::try_from(number(&[y1, y2, y3, y4])?).ok()?;
    let month = Month::try_from(two([m1, m2])?).ok()?;
    let date = Date::from_calendar_date(year, month, two([d1, d2])?).ok()?;
    let time = Time::from_hms_nano(two([h1, h2])?, two([i1, i2])?, two([s1, s2])?, nanos).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc())
}

/// The value of at most nine digits.
fn number(digits: &[u8]) -> Option<u32> {
    let add = |value: u32, byte: &u8| match byte.wrapping_sub(b'0') {
        digit @ 0..=9 => Some(value * 10 + u32::from(digit)),
        _ => None,
    };
    digits.iter().try_fold(0, add)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str) -> Result<(), TestCaseError> {
        let expected = OffsetDateTime::parse(text, &Rfc3339).ok();
        prop_assert_eq!(read(text), expected, "{}", text);
        let fast = in_utc(text.as_bytes());
        prop_assert!(fast.is_none() || fast == expected, "{}", text);
        Ok(())
    }

    proptest! {
        #[test]
        fn every_text_is_read_as_rfc_3339(
            text in "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,12})?(Z|z|[+-]0[0-9]:00|)",
        ) {
            check(&text)?;
        }

        #[test]
        fn a_damaged_time_is_read_as_rfc_3339(at in 0..30_usize, with in any::<char>()) {
            let text: Vec<char> = "2026-11-23T15:06:34.958694542Z".chars().collect();
            let damaged: String = text.iter().enumerate().map(|(place, &c)| if place == at { with } else { c }).collect();
            check(&damaged)?;
        }
    }

    #[test]
    fn the_calendar_is_kept() {
        for text in [
            "2024-02-29T23:59:59Z",
            "2023-02-29T00:00:00Z",
            "2016-12-31T23:59:60Z",
            "0000-01-01T00:00:00.1Z",
            "9999-12-31T23:59:59.999999999Z",
            "2026-04-31T00:00:00Z",
        ] {
            check(text).expect(text);
        }
        assert!(in_utc(b"2026-11-23T15:06:34.958694542Z").is_some());
    }
}
