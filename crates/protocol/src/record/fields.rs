//! [`Fields`]: typed reading of maps and arrays with known fields, which fails only where the encoding is broken.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::codec::{CodecError, Encoding, Opened, message_pack};

/// What a visitor returns for numbers, truth values and bytes, where it looks for something else.
macro_rules! visit_numbers_as {
    ($value:expr) => {
        $crate::record::visit_others_as!($value);

        fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
}
pub(crate) use visit_numbers_as;

/// The same but for numbers that may be ids.
macro_rules! visit_others_as {
    ($value:expr) => {
        fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_bytes<E: serde::de::Error>(self, _: &[u8]) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
}
pub(crate) use visit_others_as;

/// What has named fields: a map in any order, with unknown fields among them, or an array in the order of declaration.
pub(crate) trait Fields<'de> {
    /// The names of an array's elements. What follows them is ignored.
    const ORDER: &'static [&'static str];

    /// Reads the value of one field; one that is not known is ignored. Of a name that occurs twice the last value counts.
    fn field<D: Deserializer<'de>>(&mut self, name: &str, value: D) -> Result<(), D::Error>;

    /// Takes a text in place of the fields: the variant of an enumeration that has no data.
    fn text(&mut self, _: &str) {}
}

/// What was found where fields were looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Nothing, or `null`.
    #[default]
    Absent,
    /// A map or an array.
    Fields,
    /// Anything else.
    Other,
}

/// Reads the fields of an opened event.
pub(crate) fn read_fields<'a>(
    opened: &Opened<'a>,
    fields: &mut impl Fields<'a>,
) -> Result<Shape, CodecError> {
    read_seed(opened, Section(fields))
}

/// Reads an opened event with a seed.
pub(crate) fn read_seed<'a, S: DeserializeSeed<'a>>(
    opened: &Opened<'a>,
    seed: S,
) -> Result<S::Value, CodecError> {
    match opened.encoding {
        Encoding::Json => {
            let mut deserializer = serde_json::Deserializer::from_slice(opened.payload);
            let read = seed.deserialize(&mut deserializer);
            let ended = read.and_then(|value| deserializer.end().map(|()| value));
            ended.map_err(|error| CodecError::Json(error.to_string()))
        }
        Encoding::MessagePack => seed
            .deserialize(&mut message_pack(opened.payload))
            .map_err(|error| CodecError::MessagePack(error.to_string())),
    }
}

/// Reads a value into fields.
pub(crate) struct Section<'f, F>(pub(crate) &'f mut F);

impl<'de, F: Fields<'de>> DeserializeSeed<'de> for Section<'_, F> {
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: Fields<'de>> Visitor<'de> for Section<'_, F> {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        while let Some(FieldName(name)) = map.next_key()? {
            map.next_value_seed(One {
                fields: &mut *self.0,
                name: &name,
            })?;
        }
        Ok(Shape::Fields)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        for name in F::ORDER {
            let fields = &mut *self.0;
            if seq.next_element_seed(One { fields, name })?.is_none() {
                return Ok(Shape::Fields);
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Shape::Fields)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Shape, E> {
        self.0.text(text);
        Ok(Shape::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Shape, E> {
        Ok(Shape::Absent)
    }

    visit_numbers_as!(Shape::Other);
}

/// One field and its value.
struct One<'f, 'n, F> {
    fields: &'f mut F,
    name: &'n str,
}

impl<'de, F: Fields<'de>> DeserializeSeed<'de> for One<'_, '_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.fields.field(self.name, deserializer)
    }
}

/// The name of a field; without a copy unless it is written with escapes.
pub(crate) struct FieldName<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for FieldName<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Key;
        impl<'de> Visitor<'de> for Key {
            type Value = FieldName<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name as text")
            }

            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<FieldName<'de>, E> {
                Ok(FieldName(Cow::Borrowed(name)))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<FieldName<'de>, E> {
                Ok(FieldName(Cow::Owned(name.to_owned())))
            }

            // A key that is no text names no field that is known.
            fn visit_u64<E: Error>(self, _: u64) -> Result<FieldName<'de>, E> {
                Ok(FieldName(Cow::Borrowed("")))
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<FieldName<'de>, E> {
                Ok(FieldName(Cow::Borrowed("")))
            }
        }
        deserializer.deserialize_any(Key)
    }
}
