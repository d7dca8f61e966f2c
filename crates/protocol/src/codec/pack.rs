//! [`Pack`]: the few forms of MessagePack that a hot event has, read without a deserializer.

/// The bytes that are not read yet. Where a method returns `None`, the general reader has to look at the message.
pub(crate) struct Pack<'a>(pub(crate) &'a [u8]);

impl<'a> Pack<'a> {
    /// Takes exactly these bytes: the header of a map, and the name of its first field or of the next one.
    pub(crate) fn literal(&mut self, expected: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// Takes a whole number that is not negative, in any of its forms.
    pub(crate) fn whole(&mut self) -> Option<u64> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(match first {
            0..=0x7f => u64::from(first),
            0xcc => u64::from(u8::from_be_bytes(self.array()?)),
            0xcd => u64::from(u16::from_be_bytes(self.array()?)),
            0xce => u64::from(u32::from_be_bytes(self.array()?)),
            0xcf => u64::from_be_bytes(self.array()?),
            _ => return None,
        })
    }

    /// Takes a float of 64 bits.
    pub(crate) fn real(&mut self) -> Option<f64> {
        self.literal(&[0xcb])?;
        Some(f64::from_be_bytes(self.array()?))
    }

    /// Takes a text of at most 255 bytes.
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        let length = match first {
            0xa0..=0xbf => usize::from(first & 0x1f),
            0xd9 => usize::from(u8::from_be_bytes(self.array()?)),
            _ => return None,
        };
        str::from_utf8(self.take(length)?).ok()
    }

    /// Takes binary data.
    pub(crate) fn binary(&mut self) -> Option<&'a [u8]> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        let length = match first {
            0xc4 => usize::from(u8::from_be_bytes(self.array()?)),
            0xc5 => usize::from(u16::from_be_bytes(self.array()?)),
            0xc6 => usize::try_from(u32::from_be_bytes(self.array()?)).ok()?,
            _ => return None,
        };
        self.take(length)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}
