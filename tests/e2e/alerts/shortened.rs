//! Rules that wait less: everything that takes time is shorter by one factor, and nothing else changes.

/// What a length of time follows in a file of rules: how long an alert has to hold, the range of a vector, and how far
/// back a query looks.
const BEFORE: [&str; 3] = ["for: ", "[", "offset "];

/// The rules with each length of time divided by `factor`.
pub(crate) fn shortened(rules: &str, factor: u64) -> String {
    let mut rest = rules;
    let mut short = String::new();
    while let Some(at) = next(rest) {
        short.push_str(&rest[..at]);
        rest = &rest[at..];
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match rest[digits..].chars().next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86_400,
            other => panic!(
                "{other:?} is no unit of time: {}",
                rest.lines().next().unwrap_or_default()
            ),
        };
        let number: u64 = rest[..digits].parse().expect("a number of digits");
        short.push_str(&format!("{}ms", number * unit * 1000 / factor));
        rest = &rest[digits + 1..];
    }
    short + rest
}

/// Where the next length of time begins.
fn next(text: &str) -> Option<usize> {
    let after = |mark: &str| {
        let ends = text.match_indices(mark).map(|(at, _)| at + mark.len());
        ends.into_iter()
            .find(|end| text[*end..].starts_with(|c: char| c.is_ascii_digit()))
    };
    BEFORE.into_iter().filter_map(after).min()
}

#[test]
fn times_are_shorter_and_expressions_are_what_they_were() {
    let rules =
        "expr: max_over_time(a:rate5m[30m]) < 0.5 * (b[1h] offset 1h) > 15\nfor: 5m\nlabels: {x: y}\n";
    let short = "expr: max_over_time(a:rate5m[180000ms]) < 0.5 * (b[360000ms] offset 360000ms) > 15\nfor: 30000ms\nlabels: {x: y}\n";
    assert_eq!(shortened(rules, 10), short);
    assert_eq!(shortened("", 10), "");
}
