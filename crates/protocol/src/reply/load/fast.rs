//! The fast path of [`LoadReply::read`]: one pass over a reply in which everything is as NATS specifies it.

use smallvec::SmallVec;

use super::super::{MAX_ID_BYTES, ReplyLimits};
use super::{EndpointData, EndpointLoad, LoadReply, Raw, started};
use crate::StatsReading;
use crate::record::first;
use crate::scan::{Field, Fields, LEVELS, Name, Pass, Scanner};
use crate::stats::Data;

/// The fields of a reply, in the order in which services write them.
static REPLY: [Name; 7] = Name::all([
    "type",
    "name",
    "id",
    "version",
    "metadata",
    "started",
    "endpoints",
]);

/// The fields of an endpoint, likewise.
static ENDPOINT: [Name; 9] = Name::all([
    "name",
    "subject",
    "queue_group",
    "num_requests",
    "num_errors",
    "last_error",
    "processing_time",
    "average_processing_time",
    "data",
]);

/// Reads a reply; `None` where the lenient reader has to look at it.
pub(super) fn read(payload: &[u8], limits: ReplyLimits) -> Option<LoadReply<'_>> {
    if payload.len() > limits.bytes {
        return None;
    }
    // Checked once for the whole text, which is cheaper than string by string.
    let mut scanner = Scanner::new(std::str::from_utf8(payload).ok()?);
    let (mut kind, mut service, mut id, mut version, mut start) = (None, None, None, None, None);
    let (mut endpoints, mut listed) = (SmallVec::new(), None);
    let mut fields = Fields::new(&REPLY, 0);
    scanner.opens_object()?.then_some(())?;
    loop {
        match scanner.field(&mut fields)? {
            Field::Known(0) => first(&mut kind, scanner.text()?)?,
            Field::Known(1) => first(&mut service, scanner.text()?)?,
            Field::Known(2) => first(&mut id, scanner.text()?)?,
            Field::Known(3) => first(&mut version, scanner.text()?)?,
            Field::Known(5) => first(&mut start, scanner.text()?)?,
            Field::Known(6) => {
                first(&mut listed, ())?;
                read_endpoints(&mut scanner, &mut endpoints, limits)?;
            }
            Field::Known(_) | Field::Other => scanner.pass(LEVELS, Pass::Json)?,
            Field::End => break,
        }
    }
    scanner.end()?;
    // Longer texts are cut by the lenient reader.
    let label = |text: Option<&'_ str>| text.is_none_or(|text| text.len() <= MAX_ID_BYTES);
    let is_stats = kind.is_none_or(|kind: &str| kind.is_empty() || kind.ends_with(".stats_response"));
    let id = id.filter(|id| (1..=MAX_ID_BYTES).contains(&id.len()))?;
    if !is_stats || !label(service) || !label(version) {
        return None;
    }
    Some(LoadReply {
        service: service.unwrap_or_default().into(),
        id: id.into(),
        version: version.unwrap_or_default().into(),
        started: start.and_then(started::read),
        endpoints,
        refused: Vec::new(),
    })
}

fn read_endpoints<'a>(
    scanner: &mut Scanner<'a>,
    endpoints: &mut SmallVec<[EndpointLoad<'a>; 1]>,
    limits: ReplyLimits,
) -> Option<()> {
    scanner.open_list()?;
    let mut is_first = true;
    while scanner.has_item(&mut is_first)? {
        if endpoints.len() == limits.endpoints {
            return None;
        }
        endpoints.push(read_endpoint(scanner, limits.depth)?);
    }
    Some(())
}

fn read_endpoint<'a>(scanner: &mut Scanner<'a>, depth: usize) -> Option<EndpointLoad<'a>> {
    let (mut name, mut subject, mut load, mut data) = (None, None, None, "");
    let (mut requests, mut errors, mut processing_nanos) = (None, None, None);
    let mut fields = Fields::new(&ENDPOINT, 0);
    scanner.opens_object()?.then_some(())?;
    loop {
        match scanner.field(&mut fields)? {
            Field::Known(0) => first(&mut name, scanner.text()?)?,
            Field::Known(1) => first(&mut subject, scanner.text()?)?,
            Field::Known(3) => first(&mut requests, scanner.count()?)?,
            Field::Known(4) => first(&mut errors, scanner.count()?)?,
            Field::Known(6) => first(&mut processing_nanos, scanner.count()?)?,
            Field::Known(8) => {
                let from = scanner.position();
                first(&mut load, read_data(scanner, depth)?)?;
                data = scanner.since(from);
            }
            Field::Known(_) | Field::Other => scanner.pass(LEVELS, Pass::Json)?,
            Field::End => break,
        }
    }
    Some(EndpointLoad {
        name: name.unwrap_or_default().into(),
        subject: subject.filter(|subject: &&str| !subject.is_empty())?.into(),
        requests: requests.flatten(),
        errors: errors.flatten(),
        processing_seconds: processing_nanos.flatten().map(|nanos| nanos as f64 / 1e9),
        refused: Vec::new(),
        load: Ok(load.unwrap_or_default()),
        data: EndpointData(Raw::Text(data)),
    })
}

#[inline]
fn read_data(scanner: &mut Scanner<'_>, depth: usize) -> Option<StatsReading> {
    // Deeper data is no value to `serde_json`.
    let mut data = Data::within(depth.min(LEVELS))?;
    match data.scan(scanner)? {
        true => data.reading(),
        false => Some(StatsReading::default()),
    }
}
