//! The fast path of forward passes: exactly the layout that engines write, compared byte by byte. An engine makes up to
//! 100 passes a second, so tens of thousands of these may come in a second.

use super::{ForwardPass, Scheduled};
use crate::codec::pack::Pack;
use crate::codec::{Encoding, Opened};

/// Reads an event; `None` where the general reader has to look at it.
pub(super) fn read(opened: &Opened<'_>) -> Option<ForwardPass> {
    if opened.encoding != Encoding::MessagePack {
        return None;
    }
    let mut pack = Pack(opened.payload);
    pack.literal(b"\x87\xa7version")?;
    pack.whole()?;
    pack.literal(b"\xa9worker_id")?;
    let worker_id = pack.text()?.parse().ok()?;
    pack.literal(b"\xa7dp_rank")?;
    let dp_rank = pack.whole()?;
    pack.literal(b"\xaacounter_id")?;
    let counter_id = pack.whole()?;
    pack.literal(b"\xa9wall_time")?;
    let wall_time = real(&mut pack).filter(|seconds| *seconds <= ForwardPass::MAX_WALL_TIME)?;
    pack.literal(b"\xb2scheduled_requests\x87")?;
    let scheduled = section(&mut pack, true)?;
    pack.literal(b"\xafqueued_requests\x86")?;
    let queued = section(&mut pack, false)?.as_queue();
    pack.0.is_empty().then_some(ForwardPass {
        worker_id,
        dp_rank,
        counter_id,
        wall_time,
        scheduled,
        queued,
    })
}

fn section(pack: &mut Pack<'_>, has_kv_tokens: bool) -> Option<Scheduled> {
    let mut section = Scheduled::default();
    pack.literal(b"\xb4num_prefill_requests")?;
    section.prefill_requests = pack.whole()?;
    pack.literal(b"\xb2sum_prefill_tokens")?;
    section.prefill_tokens = pack.whole()?;
    pack.literal(b"\xb2var_prefill_length")?;
    section.prefill_length_variance = real(pack)?;
    if has_kv_tokens {
        pack.literal(b"\xb5sum_prefill_kv_tokens")?;
        section.prefill_kv_tokens = pack.whole()?;
    }
    pack.literal(b"\xb3num_decode_requests")?;
    section.decode_requests = pack.whole()?;
    pack.literal(b"\xb4sum_decode_kv_tokens")?;
    section.decode_kv_tokens = pack.whole()?;
    pack.literal(b"\xb4var_decode_kv_tokens")?;
    section.decode_kv_variance = real(pack)?;
    Some(section)
}

/// A number in its range; another is for the general reader to refuse.
fn real(pack: &mut Pack<'_>) -> Option<f64> {
    let number = pack.real()?;
    (number.is_finite() && number >= 0.0).then(|| number.abs())
}
