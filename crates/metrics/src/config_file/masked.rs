//! The text of a file for people: what may be a secret is hidden, and everything else stays in its place.

use std::ops::Range;

use program::source::Problem;

use super::keys::Key;
use super::read::{Outcome, is_like_a_secret};

/// What is shown of a secret, whatever its length.
const MASK: &[u8] = b"***";

/// The text with its secrets masked.
pub(super) fn masked(text: &str, keys: &[Key], outcome: &mut Outcome) -> String {
    if outcome.is_broken {
        // The parser may have missed a value in a broken line.
        outcome.secrets.extend(secrets_in_lines(text, keys));
    }
    let mut bytes = text.as_bytes().to_vec();
    for secret in &outcome.secrets {
        let mut mask = MASK.iter();
        for byte in &mut bytes[secret.clone()] {
            if *byte != b'\n' {
                *byte = *mask.next().unwrap_or(&b' ');
            }
        }
    }
    // Only whole values are replaced, and by ASCII.
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Shortens the places of problems that lie in a secret to its mask.
pub(super) fn mask_places(problems: &mut [Problem], secrets: &[Range<usize>]) {
    let places = problems.iter_mut().flat_map(|problem| &mut problem.places);
    for (place, _) in places {
        if let Some(secret) = secrets.iter().find(|secret| secret.contains(&place.start)) {
            *place = secret.start..secret.end.min(secret.start + MASK.len());
        }
    }
}

/// What follows the `=` of every line whose key may be one of a secret; a text of several lines ends the search.
fn secrets_in_lines(text: &str, keys: &[Key]) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if let Some((name, value)) = line.split_once('=') {
            let name = name.trim().trim_matches(['"', '\'']);
            let value_start = start + line.len() - value.trim_start().len();
            let key = keys.iter().find(|key| key.name == name);
            if key.map_or_else(|| is_like_a_secret(name), |key| key.is_secret) {
                let is_long = ["\"\"\"", "'''", "["]
                    .iter()
                    .any(|quote| value.trim_start().starts_with(quote));
                let end = if is_long { text.len() } else { start + line.len() };
                secrets.push(value_start..end);
            }
        }
        start += line.len();
    }
    secrets
}
