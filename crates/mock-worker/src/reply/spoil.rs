//! Spoils what a worker says, value by value, as text, or as a whole.

use sim::random::Random;

use crate::faults::{Fault, Field, Kind};
use crate::stage::Sample;

/// Which question about a worker and a second the random values and bytes answer.
const VALUES: u64 = 1 << 32;
const BYTES: u64 = 2 << 32;

/// Spoils the text of the data: first its values, then how they are written.
pub(super) fn data(text: &mut String, sample: &Sample<'_>, seed: u64) {
    for fault in &sample.faults {
        value(text, fault, sample, seed);
    }
    for fault in &sample.faults {
        encoding(text, fault);
        if fault.kind == Kind::Huge {
            let padding = "x".repeat(fault.bytes().saturating_sub(text.len()));
            text.insert_str(1, &format!("\"padding\":\"{padding}\","));
        }
    }
}

/// Spoils the reply in `out` from `start` on; false where nothing of it can be read any more.
pub(super) fn reply(out: &mut Vec<u8>, start: usize, sample: &Sample<'_>, seed: u64) -> bool {
    for fault in &sample.faults {
        match fault.kind {
            Kind::Truncated => out.truncate(start + (out.len() - start) / 2),
            Kind::Empty => out.truncate(start),
            Kind::Garbage => {
                let mut random = random(BYTES, sample, seed);
                out.truncate(start);
                let length = 64 + random.bits() % 192;
                out.extend((0..length).map(|_| random.bits() as u8));
            }
            _ => continue,
        }
        return false;
    }
    true
}

fn random(question: u64, sample: &Sample<'_>, seed: u64) -> Random {
    Random::at(
        seed,
        sample.place as u32,
        question,
        sample.time_ns / 1_000_000_000,
    )
}

fn value(text: &mut String, fault: &Fault, sample: &Sample<'_>, seed: u64) {
    let mut set = |field: Field, value: String| edit(text, field, |_| Some(value));
    let load = sample.reported.load.unwrap_or_default();
    match fault.kind {
        Kind::ActiveAboveTotal => {
            set(
                Field::RequestActiveSlots,
                (load.request_total_slots + 1).to_string(),
            );
            set(Field::KvActiveBlocks, (load.kv_total_blocks + 1).to_string());
        }
        Kind::ZeroTotal => {
            set(Field::RequestTotalSlots, "0".to_owned());
            set(Field::KvTotalBlocks, "0".to_owned());
        }
        Kind::UsageAboveOne => set(Field::GpuCacheUsagePerc, "1.5".to_owned()),
        Kind::UsagePercent => set(
            Field::GpuCacheUsagePerc,
            (100.0 * load.gpu_cache_usage_perc).to_string(),
        ),
        Kind::AllZeros => Field::ALL
            .into_iter()
            .for_each(|field| set(field, "0".to_owned())),
        Kind::Random => {
            let mut random = random(VALUES, sample, seed);
            let (slots, blocks) = (load.request_total_slots, load.kv_total_blocks);
            set(Field::RequestActiveSlots, random.uniform(0, slots).to_string());
            set(Field::NumRequestsWaiting, random.uniform(0, slots).to_string());
            set(Field::KvActiveBlocks, random.uniform(0, blocks).to_string());
            set(Field::GpuCacheUsagePerc, random.unit().to_string());
            set(Field::GpuPrefixCacheHitRate, random.unit().to_string());
        }
        _ => {}
    }
}

fn encoding(text: &mut String, fault: &Fault) {
    if !fault.kind.spoils_field() {
        return;
    }
    let field = fault.field.unwrap_or_default();
    edit(text, field, |value| {
        Some(match fault.kind {
            Kind::Nan => "NaN".to_owned(),
            Kind::Null => "null".to_owned(),
            Kind::Float if value.contains('.') => value.to_owned(),
            Kind::Float => format!("{value}.0"),
            Kind::Negative => format!("-{}", if value == "0" { "1" } else { value }),
            Kind::Overflow => "18446744073709551616".to_owned(),
            Kind::Duplicate => format!("{value},\"{}\":0", field.as_str()),
            Kind::BeyondF32 => "1e39".to_owned(),
            Kind::BeyondF64 => "1e400".to_owned(),
            _ => return None,
        })
    });
}

/// Replaces the value of a field, or takes the field out. A field that is not there stays away.
fn edit(text: &mut String, field: Field, change: impl FnOnce(&str) -> Option<String>) {
    let key = format!("\"{}\":", field.as_str());
    let Some(key_at) = text.find(&key) else { return };
    let from = key_at + key.len();
    let to = text[from..]
        .find([',', '}'])
        .map_or(text.len(), |length| from + length);
    match change(&text[from..to]) {
        Some(value) => text.replace_range(from..to, &value),
        // A field goes with the comma before or behind it.
        None if text[to..].starts_with(',') => text.replace_range(key_at..=to, ""),
        None if text[..key_at].ends_with(',') => text.replace_range(key_at - 1..to, ""),
        None => text.replace_range(key_at..to, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = r#"{"worker_stats":{"request_active_slots":3,"request_total_slots":8},"kv_stats":{"kv_active_blocks":5}}"#;

    #[test]
    fn a_field_is_spoiled_as_its_fault_says_and_no_other() {
        let check = |kind: Kind, field: Field, old: &str, new: &str| {
            let mut fault = Fault::new(kind);
            fault.field = Some(field);
            let mut text = DATA.to_owned();
            encoding(&mut text, &fault);
            assert_eq!(text, DATA.replace(old, new), "{kind:?} {field:?}");
        };
        let blocks = |kind, new: &str| check(kind, Field::KvActiveBlocks, ":5", &format!(":{new}"));
        blocks(Kind::Nan, "NaN");
        blocks(Kind::Null, "null");
        blocks(Kind::Float, "5.0");
        blocks(Kind::Negative, "-5");
        blocks(Kind::Overflow, "18446744073709551616");
        blocks(Kind::BeyondF32, "1e39");
        blocks(Kind::BeyondF64, "1e400");
        blocks(Kind::Duplicate, "5,\"kv_active_blocks\":0");
        check(Kind::Missing, Field::KvActiveBlocks, "\"kv_active_blocks\":5", "");
        check(
            Kind::Missing,
            Field::RequestActiveSlots,
            "\"request_active_slots\":3,",
            "",
        );
        check(
            Kind::Missing,
            Field::RequestTotalSlots,
            ",\"request_total_slots\":8",
            "",
        );
        check(Kind::Nan, Field::NumRequestsWaiting, "", "");
    }
}
