//! The fast path of [`LoadReply::read`]: one pass over a reply in which everything is as NATS specifies it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use smallvec::SmallVec;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::{MAX_ID_BYTES, ReplyLimits};
use super::{EndpointLoad, LoadReply};
use crate::StatsReading;
use crate::record::{Count, Into, Record, fill, read as read_record};
use crate::stats::Data;

/// Reads a reply; `None` where the lenient reader has to look at it.
pub(super) fn read(payload: &[u8], limits: ReplyLimits) -> Option<LoadReply<'_>> {
    if payload.len() > limits.bytes {
        return None;
    }
    // Checked once for the whole text, which is cheaper than string by string.
    let text = std::str::from_utf8(payload).ok()?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut reply = Reply {
        limits,
        kind: None,
        service: None,
        id: None,
        version: None,
        started: None,
        endpoints: None,
    };
    read_record(&mut reply, &mut deserializer).ok()?;
    deserializer.end().ok()?;
    reply.finish()
}

struct Reply<'a> {
    limits: ReplyLimits,
    kind: Option<&'a str>,
    service: Option<&'a str>,
    id: Option<&'a str>,
    version: Option<&'a str>,
    started: Option<&'a str>,
    endpoints: Option<SmallVec<[EndpointLoad<'a>; 1]>>,
}

impl<'a> Reply<'a> {
    fn finish(self) -> Option<LoadReply<'a>> {
        let is_stats = self
            .kind
            .is_none_or(|kind| kind.is_empty() || kind.ends_with(".stats_response"));
        let id = self.id.filter(|id| (1..=MAX_ID_BYTES).contains(&id.len()))?;
        // Longer texts are cut by the lenient reader.
        let label = |text: Option<&'a str>| {
            let text = text.unwrap_or_default();
            (text.len() <= MAX_ID_BYTES).then_some(text)
        };
        is_stats.then_some(LoadReply {
            service: label(self.service)?.into(),
            id: id.into(),
            version: label(self.version)?.into(),
            started: self
                .started
                .and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok()),
            endpoints: self.endpoints.unwrap_or_default(),
            refused: Vec::new(),
        })
    }
}

impl<'de> Record<'de> for Reply<'de> {
    fn field<A: MapAccess<'de>>(&mut self, name: &'de str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "type" => fill(&mut self.kind, map.next_value()?),
            "name" => fill(&mut self.service, map.next_value()?),
            "id" => fill(&mut self.id, map.next_value()?),
            "version" => fill(&mut self.version, map.next_value()?),
            "started" => fill(&mut self.started, map.next_value()?),
            "endpoints" => fill(&mut self.endpoints, map.next_value_seed(Endpoints(self.limits))?),
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

/// Reads the list of endpoints.
struct Endpoints(ReplyLimits);

impl<'de> DeserializeSeed<'de> for Endpoints {
    type Value = SmallVec<[EndpointLoad<'de>; 1]>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Endpoints {
    type Value = SmallVec<[EndpointLoad<'de>; 1]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {} endpoints", self.0.endpoints)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut endpoints = SmallVec::new();
        while let Some(endpoint) = seq.next_element_seed(Endpoint::new(self.0.depth))? {
            if endpoints.len() == self.0.endpoints {
                return Err(A::Error::custom("too many endpoints"));
            }
            endpoints.push(endpoint);
        }
        Ok(endpoints)
    }
}

struct Endpoint<'a> {
    depth: usize,
    name: Option<&'a str>,
    subject: Option<&'a str>,
    requests: Option<Count>,
    errors: Option<Count>,
    processing_nanos: Option<Count>,
    load: Option<StatsReading>,
}

impl Endpoint<'_> {
    fn new(depth: usize) -> Self {
        Self {
            depth,
            name: None,
            subject: None,
            requests: None,
            errors: None,
            processing_nanos: None,
            load: None,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Endpoint<'de> {
    type Value = EndpointLoad<'de>;

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Self::Value, D::Error> {
        read_record(&mut self, deserializer)?;
        let count = |count: Option<Count>| count.and_then(|Count(count)| count);
        let subject = self.subject.filter(|subject| !subject.is_empty());
        Ok(EndpointLoad {
            name: self.name.unwrap_or_default().into(),
            subject: subject.ok_or_else(|| D::Error::custom("no subject"))?.into(),
            requests: count(self.requests),
            errors: count(self.errors),
            processing_seconds: count(self.processing_nanos).map(|nanos| nanos as f64 / 1e9),
            refused: Vec::new(),
            load: Ok(self.load.unwrap_or_default()),
        })
    }
}

impl<'de> Record<'de> for Endpoint<'de> {
    fn field<A: MapAccess<'de>>(&mut self, name: &'de str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "name" => fill(&mut self.name, map.next_value()?),
            "subject" => fill(&mut self.subject, map.next_value()?),
            "num_requests" => fill(&mut self.requests, map.next_value()?),
            "num_errors" => fill(&mut self.errors, map.next_value()?),
            "processing_time" => fill(&mut self.processing_nanos, map.next_value()?),
            "data" => {
                let unusual = || A::Error::custom("unusual load data");
                let mut data = Data::within(self.depth).ok_or_else(unusual)?;
                let reading = match map.next_value_seed(Into(&mut data))? {
                    true => data.reading().ok_or_else(unusual)?,
                    false => StatsReading::default(),
                };
                fill(&mut self.load, reading)
            }
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}
