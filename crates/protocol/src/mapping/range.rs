//! [`Range`]: which numbers a value may be.

use serde_json::Value;

use crate::StatsFault;
use crate::stats::{number, whole};

/// Which numbers a value may be. The default is any that is finite.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Range {
    /// The smallest.
    pub min: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
    /// Whether it has no fractional part, is not negative and fits 64 bits.
    pub is_count: bool,
}

impl Range {
    /// A whole number of 64 bits.
    pub const COUNT: Self = Self {
        min: Some(0.0),
        max: None,
        is_count: true,
    };

    /// From 0 to 1.
    pub const RATIO: Self = Self {
        min: Some(0.0),
        max: Some(1.0),
        is_count: false,
    };

    /// Reads a number that is written as an integer, a float, or a numeric string.
    ///
    /// # Errors
    /// [`StatsFault`] says what is wrong: no number, or one that is out of range.
    ///
    /// ```
    /// use protocol::mapping::Range;
    /// assert_eq!(Range::RATIO.read(&0.5.into()), Ok(0.5));
    /// assert_eq!(Range::RATIO.read(&2.into()).unwrap_err().to_string(), "is 2, above 1");
    /// let range = Range { max: Some(10.0), ..Range::default() };
    /// assert_eq!(range.read(&11.into()).unwrap_err().to_string(), "is above the limit of 10");
    /// ```
    pub fn read(&self, value: &Value) -> Result<f64, StatsFault> {
        let number = match self.is_count {
            true => whole(value)? as f64,
            false => number(value)?,
        };
        if let Some(min) = self.min.filter(|min| number < *min) {
            return Err(match min {
                0.0 => StatsFault::Negative,
                min => StatsFault::BelowLimit(min),
            });
        }
        if let Some(max) = self.max.filter(|max| number > *max) {
            return Err(match max {
                1.0 => StatsFault::AboveOne(number),
                max => StatsFault::AboveLimit(max),
            });
        }
        // Adding zero turns -0.0 into 0.0.
        Ok(number + 0.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_is_read_within_its_range() {
        fn check(range: Range, value: Value, expected: Result<f64, &str>) {
            let read = range.read(&value).map_err(|fault| fault.to_string());
            assert_eq!(read, expected.map_err(str::to_owned), "{value}");
        }
        let any = Range::default();
        check(any, json!(-3), Ok(-3.0));
        check(any, json!("2.5"), Ok(2.5));
        check(any, json!(true), Err("is a boolean, not a number"));
        check(any, json!("NaN"), Err("is not finite"));
        check(any, json!({}), Err("is an object, not a number"));
        check(Range::COUNT, json!(7), Ok(7.0));
        check(Range::COUNT, json!(7.5), Err("is 7.5, not a whole number"));
        check(Range::COUNT, json!(-1), Err("is negative"));
        check(Range::RATIO, json!(1.5), Err("is 1.5, above 1"));
        let degrees = Range {
            min: Some(-20.0),
            max: Some(60.0),
            is_count: false,
        };
        check(degrees, json!(-20), Ok(-20.0));
        check(degrees, json!(-21), Err("is below the limit of -20"));
        check(degrees, json!(61), Err("is above the limit of 60"));
    }
}
