//! What the state machine says, as lines of the log. What came from outside is escaped and shortened here.

use fleet::{Level, Notice};
use protocol::text::Shown;
use tracing::{debug, error, info, warn};

/// Characters of a sentence that are shown; it may name several paths.
const SENTENCE: usize = 1000;

/// Writes a notice to the log.
pub(crate) fn say(notice: &Notice) {
    let text = Shown(&notice.text).up_to(SENTENCE).to_string();
    let value = |name: &str| {
        let (_, value) = notice.fields.iter().find(|(field, _)| *field == name)?;
        Some(Shown(value).to_string())
    };
    macro_rules! line {
        ($level:ident) => {
            $level!(
                target = value("target"),
                worker = value("worker"),
                service = value("service"),
                reason = value("reason"),
                fields = value("fields"),
                rounds = value("rounds"),
                bytes = value("bytes"),
                "{text}"
            )
        };
    }
    match notice.level {
        Level::Debug => line!(debug),
        Level::Info => line!(info),
        Level::Warn => line!(warn),
        Level::Error => line!(error),
    }
}
