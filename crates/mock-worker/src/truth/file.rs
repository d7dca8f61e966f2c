//! A truth file under way: what cannot be written is reported with its name.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use protocol::WorkerId;

use super::Writer;
use crate::publish::Published;
use crate::stage::Sample;

/// What is written to the file at once.
const BUFFER: usize = 1 << 16;

/// Why a truth file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("failed to write the truth to {}: {source}", path.display())]
pub struct TruthFileError {
    path: PathBuf,
    source: io::Error,
}

/// The file to which workers write the truth while they run.
#[derive(Debug)]
pub struct TruthFile {
    path: PathBuf,
    writer: Writer<BufWriter<File>>,
}

impl TruthFile {
    /// Creates the file, or empties it.
    ///
    /// # Errors
    /// [`TruthFileError`] where the file cannot be opened for writing.
    pub fn create(path: &Path) -> Result<Self, TruthFileError> {
        let created = File::create(path).map_err(|source| TruthFileError {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            writer: Writer::new(BufWriter::with_capacity(BUFFER, created)),
        })
    }

    /// Writes a record, as [`Writer::write`] does.
    ///
    /// # Errors
    /// [`TruthFileError`] where the file takes no more.
    pub fn write(
        &mut self,
        sample: &Sample<'_>,
        claimed: Option<Option<WorkerId>>,
        data: Option<&[u8]>,
        unix_seconds: Option<f64>,
    ) -> Result<(), TruthFileError> {
        let written = self.writer.write(sample, claimed, data, unix_seconds);
        written.map_err(|source| self.error(source))
    }

    /// Writes what is published, as [`Writer::write_published`] does.
    ///
    /// # Errors
    /// [`TruthFileError`] where the file takes no more.
    pub fn write_published(
        &mut self,
        published: &Published,
        unix_seconds: f64,
    ) -> Result<(), TruthFileError> {
        let written = self.writer.write_published(published, unix_seconds);
        written.map_err(|source| self.error(source))
    }

    /// Hands all records to the system.
    ///
    /// # Errors
    /// [`TruthFileError`] where the file takes no more.
    pub fn flush(&mut self) -> Result<(), TruthFileError> {
        self.writer.flush().map_err(|source| self.error(source))
    }

    fn error(&self, source: io::Error) -> TruthFileError {
        TruthFileError {
            path: self.path.clone(),
            source,
        }
    }
}
