//! Strict, borrowed reading of maps with known fields, from JSON or MessagePack.
//!
//! Every format of this crate has a lenient reader that goes through [`serde_json::Value`]. A [`Record`] is the fast
//! path in front of it: it reads what well-behaved peers send without an allocation and fails on anything unusual,
//! so that the lenient reader decides. Where a record is read, both readers agree.

mod fields;
mod scalar;

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

pub(crate) use fields::{
    FieldName, Fields, Section, Shape, read_fields, read_seed, visit_numbers_as, visit_others_as,
};
pub(crate) use scalar::{Id, Items, Real, Text, Whole};

/// A map whose fields are read one by one.
pub(crate) trait Record<'de> {
    /// Reads the value of one field.
    fn field<A: MapAccess<'de>>(&mut self, name: &'de str, map: &mut A) -> Result<(), A::Error>;
}

/// Reads a map into a record; `false` where there is `null` instead.
pub(crate) struct Into<'r, R>(pub(crate) &'r mut R);

/// Reads a value that must be a map into a record.
pub(crate) fn read<'de, R: Record<'de>, D: Deserializer<'de>>(
    record: &mut R,
    deserializer: D,
) -> Result<(), D::Error> {
    match Into(record).deserialize(deserializer)? {
        true => Ok(()),
        false => Err(Error::custom("null")),
    }
}

/// Stores the value of a field, which must be the first of its name.
pub(crate) fn fill<T, E: Error>(slot: &mut Option<T>, value: T) -> Result<(), E> {
    first(slot, value).ok_or_else(|| E::custom("a field occurs twice"))
}

/// The same; `None` where it is not the first.
#[inline]
pub(crate) fn first<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

/// A whole number of 64 bits, or `null`.
#[derive(Clone, Copy)]
pub(crate) struct Count(pub(crate) Option<u64>);

/// A number of any kind, or `null`.
#[derive(Clone, Copy)]
pub(crate) struct Number(pub(crate) Option<f64>);

/// Reads any value that nests at most so many levels, and drops it.
pub(crate) struct Skip {
    pub(crate) levels: usize,
}

/// The name of a field, written without escapes.
struct Name<'de>(&'de str);

impl<'de, R: Record<'de>> DeserializeSeed<'de> for Into<'_, R> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R: Record<'de>> Visitor<'de> for Into<'_, R> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map or null")
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while let Some(Name(name)) = map.next_key()? {
            self.0.field(name, &mut map)?;
        }
        Ok(true)
    }
}

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowed;
        impl<'de> Visitor<'de> for Borrowed {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name without escapes")
            }

            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Name<'de>, E> {
                // These names have a meaning of their own to `serde_json::Value`.
                match name.starts_with("$serde_json::") {
                    true => Err(E::custom("a private name")),
                    false => Ok(Name(name)),
                }
            }
        }
        deserializer.deserialize_str(Borrowed)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number or null")
            }

            fn visit_unit<E: Error>(self) -> Result<Count, E> {
                Ok(Count(None))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Count, E> {
                Ok(Count(Some(number)))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Count, E> {
                let number = u64::try_from(number).map_err(E::custom)?;
                Ok(Count(Some(number)))
            }
        }
        deserializer.deserialize_any(Whole)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or null")
            }

            fn visit_unit<E: Error>(self) -> Result<Number, E> {
                Ok(Number(None))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number(Some(number as f64)))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
                Ok(Number(Some(number as f64)))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
                Ok(Number(Some(number)))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl<'de> DeserializeSeed<'de> for Skip {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Skip {
    fn inner<E: Error>(&self) -> Result<usize, E> {
        self.levels
            .checked_sub(1)
            .ok_or_else(|| E::custom("nested too deep"))
    }
}

impl<'de> Visitor<'de> for Skip {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value of at most {} levels", self.levels)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let levels = self.inner()?;
        while seq.next_element_seed(Skip { levels })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let levels = self.inner()?;
        while map.next_key::<Name<'_>>()?.is_some() {
            map.next_value_seed(Skip { levels })?;
        }
        Ok(())
    }
}
