//! [`TraceSpec`]: a trace as a scenario names it, and its file, compressed or not.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context;
use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;
use sim::trace::{MAX_BLOCK_TOKENS, TimeUnit, Trace, TraceError, TraceFormat, TraceOptions};

use super::shipped::example_trace;

/// How a file begins that is compressed by gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A recording to play.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceSpec {
    /// How it is written [default: what its first line shows].
    #[serde(default)]
    pub format: Option<TraceFormat>,
    /// Where it is, from the scenario's folder; also compressed by gzip [default: a short example of the format,
    /// compiled in].
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// For how many tokens a hash id is [default: what the rows show].
    #[serde(default)]
    pub block_size: Option<u64>,
    /// In what it counts time [default: that of the format].
    #[serde(default)]
    pub time_unit: Option<TimeUnit>,
    /// Whether a row that cannot be played is an error.
    #[serde(default)]
    pub strict: bool,
    /// How many times faster than recorded it is played.
    #[serde(default = "one")]
    pub speedup: f64,
    /// Whether it begins again when it is over.
    #[serde(default, rename = "loop")]
    pub repeat: bool,
}

fn one() -> f64 {
    1.0
}

impl TraceSpec {
    /// # Errors
    /// Names the key, the value and the range.
    pub(super) fn check(&self) -> Result<(), String> {
        if !(0.0001..=10_000.0).contains(&self.speedup) {
            return Err(format!(
                "speedup is {}; it must lie between 0.0001 and 10000",
                self.speedup
            ));
        }
        if let Some(tokens) = self.block_size
            && !(1..=MAX_BLOCK_TOKENS).contains(&tokens)
        {
            return Err(format!(
                "block_size is {tokens}; it must lie between 1 and {MAX_BLOCK_TOKENS}"
            ));
        }
        match (self.format, &self.file) {
            (None, None) => Err("it has no file; name one, e.g. file = \"trace.jsonl\"".to_owned()),
            (Some(format), None) if example_trace(format).is_none() => Err(format!(
                "it has no file, and no example of the format {format} is compiled in; name one, e.g. file = \"trace\""
            )),
            _ => Ok(()),
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// Where it cannot be read, with its file and line.
    pub(super) fn read(&self) -> anyhow::Result<Trace> {
        let options = TraceOptions {
            format: self.format,
            block_tokens: self.block_size,
            time_unit: self.time_unit,
            strict: self.strict,
        };
        match &self.file {
            Some(file) => read_file(file, &options),
            None => {
                let format = self.format.context("a trace has a file or a format")?;
                let example = example_trace(format).unwrap_or_default();
                let trace = Trace::parse(&options, example);
                trace.with_context(|| {
                    format!("failed to read the example of the format {format} that is compiled in")
                })
            }
        }
    }
}

/// Reads a trace from a file, which may be compressed by gzip.
///
/// # Errors
/// Where it cannot be read; names the file and the line.
pub fn read_file(file: &Path, options: &TraceOptions) -> anyhow::Result<Trace> {
    let read = || -> anyhow::Result<Trace> {
        let mut bytes = BufReader::new(File::open(file)?);
        let is_compressed = bytes.fill_buf()?.starts_with(&GZIP);
        let trace = match is_compressed {
            true => Trace::read(options, BufReader::new(MultiGzDecoder::new(bytes))),
            false => Trace::read(options, bytes),
        };
        trace.map_err(TraceError::into)
    };
    read().with_context(|| format!("failed to read the trace {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tempfile::NamedTempFile;

    fn written(bytes: &[u8]) -> NamedTempFile {
        let mut file = NamedTempFile::new().expect("there is room for a file");
        file.write_all(bytes).expect("it can be written");
        file
    }

    fn compressed(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).expect("a vector takes all");
        encoder.finish().expect("a vector takes all")
    }

    const ROWS: &str = "{\"timestamp\": 0, \"input_length\": 9, \"output_length\": 1}\n\
                        {\"timestamp\": 5, \"input_length\": 7, \"output_length\": 2}\n";

    #[test]
    fn a_compressed_trace_is_the_same_trace_whatever_its_name() {
        let options = TraceOptions::default();
        let plain = read_file(written(ROWS.as_bytes()).path(), &options).expect("it is one");
        // As `cat a.gz b.gz` makes them: two members in one file.
        let (first, second) = ROWS.split_at(ROWS.find('\n').expect("two lines") + 1);
        for bytes in [compressed(ROWS), [compressed(first), compressed(second)].concat()] {
            let unpacked = read_file(written(&bytes).path(), &options).expect("it is one");
            assert_eq!(unpacked, plain);
        }
    }

    #[test]
    fn a_compressed_trace_that_is_cut_off_is_named() {
        let mut bytes = compressed(&ROWS.repeat(50));
        bytes.truncate(bytes.len() - 9);
        let file = written(&bytes);
        let error = read_file(file.path(), &TraceOptions::default()).expect_err("it is cut off");
        let text = protocol::text::causes(error.as_ref());
        let name = file.path().display().to_string();
        assert!(
            text.contains(&name) && text.contains("could not be read"),
            "{text}"
        );
    }
}
