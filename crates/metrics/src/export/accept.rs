//! What a client accepts: the weights in the headers `Accept` and `Accept-Encoding`.

/// The weight that a header gives to one value, or `None` where it does not name it.
pub(crate) fn weight(header: &str, value: &str) -> Option<f64> {
    header
        .split(',')
        .filter_map(|offer| {
            let mut parts = offer.split(';').map(str::trim);
            let is_offered = parts.next()?.eq_ignore_ascii_case(value);
            let mut weight = || parts.find_map(|part| part.strip_prefix("q=")?.parse::<f64>().ok());
            is_offered.then(|| weight().unwrap_or(1.0))
        })
        .reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_weight_of_a_value_counts() {
        fn check(header: &str, expected: Option<f64>) {
            assert_eq!(weight(header, "gzip"), expected, "{header:?}");
        }
        check("", None);
        check("br, deflate", None);
        check("gzip", Some(1.0));
        check("br;q=1.0, GZip;q=0.5", Some(0.5));
        check("gzip;q=0.2,gzip;q=0.4", Some(0.4));
        check("gzip;q=0", Some(0.0));
        check("gzip;q=much", Some(1.0));
    }
}
