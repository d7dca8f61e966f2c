//! [`Encoding`]: whether a page is sent as it is or compressed.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::export::accept::weight;
use crate::export::chunks::Chunks;

/// How a page is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// Compressed by gzip.
    Gzip,
}

impl Encoding {
    /// Chooses by the header `Accept-Encoding`: gzip if it is accepted and weighs no less than the plain text.
    pub fn negotiate(accept_encoding: &str) -> Self {
        let any = || weight(accept_encoding, "*");
        let gzip = weight(accept_encoding, "gzip").or_else(any).unwrap_or(0.0);
        if gzip > 0.0 && gzip >= weight(accept_encoding, "identity").unwrap_or(0.0) {
            Self::Gzip
        } else {
            Self::Identity
        }
    }

    /// The header `Content-Encoding`, if there is one.
    pub const fn content_encoding(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
        }
    }
}

/// Compresses quickly: a page repeats itself so much that more effort gains little.
pub(super) fn gzip(chunks: &[Bytes]) -> Vec<Bytes> {
    let mut encoder = GzEncoder::new(Chunks::default(), Compression::fast());
    let written = chunks.iter().try_for_each(|chunk| encoder.write_all(chunk));
    let packed = written.and_then(|()| encoder.finish());
    packed.expect("memory takes all that is written to it").finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn the_encoding_follows_the_accept_encoding_header() {
        fn check(accept: &str, expected: Encoding) {
            assert_eq!(Encoding::negotiate(accept), expected, "{accept:?}");
        }
        check("", Encoding::Identity);
        check("identity", Encoding::Identity);
        check("br, deflate", Encoding::Identity);
        check("gzip", Encoding::Gzip);
        check("gzip, deflate, br, zstd", Encoding::Gzip);
        check("*", Encoding::Gzip);
        check("gzip;q=0", Encoding::Identity);
        check("gzip;q=0, *", Encoding::Identity);
        check("identity, gzip;q=0.5", Encoding::Identity);
    }

    #[test]
    fn what_is_compressed_reads_back_as_it_was() {
        let chunks: Vec<Bytes> = (0..40_u8).map(|n| Bytes::from(vec![n % 7; 20_000])).collect();
        let packed = gzip(&chunks).concat();
        assert!(packed.len() < 20_000, "{} bytes", packed.len());
        let mut text = Vec::new();
        GzDecoder::new(packed.as_slice())
            .read_to_end(&mut text)
            .expect("gzip");
        assert_eq!(text, chunks.concat());
    }
}
