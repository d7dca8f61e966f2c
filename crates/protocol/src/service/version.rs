//! Whether a text is a [semantic version](https://semver.org), which NATS asks of services.

/// Whether readers of the micro protocol take this as a version.
pub(super) fn is_semantic(text: &str) -> bool {
    let (text, build) = split(text, '+');
    let (core, prerelease) = split(text, '-');
    let numbers: Vec<&str> = core.split('.').collect();
    let is_name = |part: &str| {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !part.is_empty() && part.chars().all(is_allowed)
    };
    numbers.len() == 3
        && numbers.into_iter().all(is_number)
        && build.is_none_or(|build| build.split('.').all(is_name))
        && prerelease.is_none_or(|parts| {
            let mut parts = parts.split('.');
            parts.all(|part| is_name(part) && (is_number(part) || !part.chars().all(|c| c.is_ascii_digit())))
        })
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at)
        .map_or((text, None), |(before, after)| (before, Some(after)))
}

fn is_number(text: &str) -> bool {
    let is_digits = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    is_digits && (text == "0" || !text.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_semantic_or_none() {
        for version in ["0.1.0", "1.2.3-rc.1", "1.2.3-0a.x-y+build.01", "1.0.0+b-1"] {
            assert!(is_semantic(version), "{version}");
        }
        for other in [
            "", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.x", "v1.2.3", "1.2.3-01", "1.2.3-", "1.2.3+", "1.2.3-é",
        ] {
            assert!(!is_semantic(other), "{other}");
        }
    }
}
