//! The values of fields: numbers, ids, texts and lengths, each read whatever is in its place.
//!
//! Nothing here fails because of a value's type: a reader reports which field is wrong, by its own name for it, and no
//! content of a message gets into an error.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::{EventError, MAX_NAME_BYTES, WorkerId};

/// A value that is made from whatever is found. What a type does not know is the same to it as any other thing.
trait Scalar<'de>: Sized {
    fn null() -> Self;
    fn other() -> Self;

    fn unsigned(_: u64) -> Self {
        Self::other()
    }

    fn signed(_: i64) -> Self {
        Self::other()
    }

    fn float(_: f64) -> Self {
        Self::other()
    }

    fn text(_: &str) -> Self {
        Self::other()
    }

    fn borrowed(text: &'de str) -> Self {
        Self::text(text)
    }

    fn items(_: u64) -> Self {
        Self::other()
    }
}

/// A whole number of 64 bits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) enum Whole {
    /// Missing or `null`.
    #[default]
    Absent,
    Number(u64),
    Negative,
    Other,
}

/// A whole number, or the decimal text of one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Id(pub(crate) Whole);

/// A number of any kind.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) enum Real {
    /// Missing or `null`.
    #[default]
    Absent,
    Number(f64),
    Other,
}

/// A text of at most [`MAX_NAME_BYTES`].
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Text<'de> {
    /// Missing or `null`.
    #[default]
    Absent,
    Found(Cow<'de, str>),
    Other,
}

/// How many elements an array has.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) enum Items {
    /// Missing or `null`.
    #[default]
    Absent,
    Count(u64),
    Other,
}

impl Whole {
    pub(crate) fn whole(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    pub(crate) fn optional(self, name: &'static str) -> Result<Option<u64>, EventError> {
        match self {
            Self::Absent => Ok(None),
            Self::Number(number) => Ok(Some(number)),
            Self::Negative => Err(EventError::Negative(name)),
            Self::Other => Err(EventError::Field(name)),
        }
    }

    pub(crate) fn required(self, name: &'static str) -> Result<u64, EventError> {
        self.optional(name)?.ok_or(EventError::Field(name))
    }
}

impl Id {
    pub(crate) fn of_text(text: &str) -> Self {
        let id = text.parse::<WorkerId>();
        Self(id.map_or(Whole::Other, |id| Whole::Number(id.get())))
    }

    pub(crate) fn worker(self, name: &'static str) -> Result<WorkerId, EventError> {
        self.0.required(name).map(WorkerId::new)
    }
}

impl Real {
    /// A number that is finite and not negative.
    pub(crate) fn optional(self, name: &'static str) -> Result<Option<f64>, EventError> {
        match self {
            Self::Absent => Ok(None),
            Self::Number(number) if !number.is_finite() => Err(EventError::NotFinite(name)),
            Self::Number(number) if number < 0.0 => Err(EventError::Negative(name)),
            // -0.0 is no other number than 0.
            Self::Number(number) => Ok(Some(number.abs())),
            Self::Other => Err(EventError::Number(name)),
        }
    }
}

impl<'de> Text<'de> {
    pub(crate) fn optional(self, name: &'static str) -> Result<Option<Cow<'de, str>>, EventError> {
        match self {
            Self::Absent => Ok(None),
            Self::Found(text) => Ok(Some(text)),
            Self::Other => Err(EventError::Text(name)),
        }
    }
}

impl Items {
    pub(crate) fn required(self, name: &'static str) -> Result<u64, EventError> {
        self.optional(name)?.ok_or(EventError::List(name))
    }

    pub(crate) fn optional(self, name: &'static str) -> Result<Option<u64>, EventError> {
        match self {
            Self::Absent => Ok(None),
            Self::Count(items) => Ok(Some(items)),
            Self::Other => Err(EventError::List(name)),
        }
    }
}

impl Scalar<'_> for Whole {
    fn null() -> Self {
        Self::Absent
    }

    fn other() -> Self {
        Self::Other
    }

    fn unsigned(number: u64) -> Self {
        Self::Number(number)
    }

    fn signed(number: i64) -> Self {
        u64::try_from(number).map_or(Self::Negative, Self::Number)
    }

    fn float(number: f64) -> Self {
        if number < 0.0 { Self::Negative } else { Self::Other }
    }
}

impl Scalar<'_> for Id {
    fn null() -> Self {
        Self(Whole::Absent)
    }

    fn other() -> Self {
        Self(Whole::Other)
    }

    fn unsigned(number: u64) -> Self {
        Self(Whole::unsigned(number))
    }

    fn signed(number: i64) -> Self {
        Self(Whole::signed(number))
    }

    fn float(number: f64) -> Self {
        Self(Whole::float(number))
    }

    fn text(text: &str) -> Self {
        Self::of_text(text)
    }
}

impl Scalar<'_> for Real {
    fn null() -> Self {
        Self::Absent
    }

    fn other() -> Self {
        Self::Other
    }

    fn unsigned(number: u64) -> Self {
        Self::Number(number as f64)
    }

    fn signed(number: i64) -> Self {
        Self::Number(number as f64)
    }

    fn float(number: f64) -> Self {
        Self::Number(number)
    }
}

impl<'de> Scalar<'de> for Text<'de> {
    fn null() -> Self {
        Self::Absent
    }

    fn other() -> Self {
        Self::Other
    }

    fn text(text: &str) -> Self {
        match text.len() {
            0..=MAX_NAME_BYTES => Self::Found(Cow::Owned(text.to_owned())),
            _ => Self::Other,
        }
    }

    fn borrowed(text: &'de str) -> Self {
        match text.len() {
            0..=MAX_NAME_BYTES => Self::Found(Cow::Borrowed(text)),
            _ => Self::Other,
        }
    }
}

impl Scalar<'_> for Items {
    fn null() -> Self {
        Self::Absent
    }

    fn other() -> Self {
        Self::Other
    }

    fn items(items: u64) -> Self {
        Self::Count(items)
    }
}

struct Any<T>(PhantomData<T>);

impl<'de, T: Scalar<'de>> Visitor<'de> for Any<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::null())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<T, E> {
        Ok(T::other())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Ok(T::unsigned(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        Ok(T::signed(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        Ok(T::float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<T, E> {
        Ok(T::borrowed(text))
    }

    fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<T, E> {
        Ok(T::other())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<T, A::Error> {
        let mut items = 0;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            items += 1;
        }
        Ok(T::items(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(T::other())
    }
}

macro_rules! read_as_any {
    ($($type:ty),*) => {
        $(impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Any(PhantomData))
            }
        })*
    };
}

read_as_any!(Whole, Id, Real, Text<'de>, Items);
