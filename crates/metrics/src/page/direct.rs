//! A screen as data, for a terminal in the same process.

use super::{PageError, Pages};
use crate::view::{Ask, Screen};

impl Pages {
    /// A screen of the latest snapshot with all its rows; `None` where what it is about is not there.
    ///
    /// # Errors
    /// When making it ended unexpectedly.
    pub(crate) async fn view(&self, ask: &Ask) -> Result<Option<Screen>, PageError> {
        let maker = self.maker(ask.subject(false), self.published()).await;
        self.jobs.run(move || maker.make()).await
    }
}
