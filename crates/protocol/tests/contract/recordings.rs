//! The recordings in `tests/fixtures`: every JSON file there, so that a new one is covered by being there.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::Layout;
use serde::Deserialize;

/// What one version of Dynamo's runtime was seen to send.
pub(crate) struct Recording {
    /// The file's name.
    pub(crate) file: String,
    /// The layout that the runtime's version writes.
    pub(crate) layout: Layout,
    /// `$SRV.STATS` replies, one message an element.
    pub(crate) stats_replies: Vec<String>,
    /// `$SRV.INFO` replies, one message an element.
    pub(crate) info_replies: Vec<String>,
    /// Events in the order in which they came.
    pub(crate) events: Vec<Event>,
}

/// One recorded event.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) subject: String,
    pub(crate) payload: Vec<u8>,
}

/// Reads the whole folder, sorted by file name.
pub(crate) fn all() -> Vec<Recording> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the folder of recordings exists")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no recordings in {}", folder.display());
    files.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Recording {
    #[derive(Deserialize)]
    struct File {
        dynamo_runtime: String,
        stats_replies: Vec<String>,
        info_replies: Vec<String>,
        events: Vec<RawEvent>,
    }
    #[derive(Deserialize)]
    struct RawEvent {
        subject: String,
        b64: String,
    }
    let name = path.file_name().expect("a file").to_string_lossy().into_owned();
    let text = fs::read_to_string(path).expect(&name);
    let file: File = serde_json::from_str(&text).expect(&name);
    let event = |event: RawEvent| Event {
        subject: event.subject,
        payload: STANDARD.decode(event.b64).expect(&name),
    };
    Recording {
        layout: layout_of(&file.dynamo_runtime),
        stats_replies: file.stats_replies,
        info_replies: file.info_replies,
        events: file.events.into_iter().map(event).collect(),
        file: name,
    }
}

/// The layout of a runtime such as `0.8.1 (file key-value store)`.
fn layout_of(runtime: &str) -> Layout {
    let version = runtime.split_whitespace().next().unwrap_or_default();
    let numbers: Vec<u32> = version
        .split('.')
        .map(|part| part.parse().expect(runtime))
        .collect();
    match numbers[..] {
        [0, 1, 0] => Layout::HashedPipe,
        [0, 1, _] | [0, 2, 0] => Layout::Hashed,
        _ => Layout::Plain,
    }
}
