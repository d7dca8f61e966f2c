//! [`Settling`]: what a file says that is looked at again and again, once it has stopped changing.

/// What is in force, and what may take its place.
#[derive(Debug)]
pub struct Settling<T> {
    in_force: T,
    changed: Option<T>,
}

impl<T: PartialEq> Settling<T> {
    /// Begins with what is in force.
    pub const fn new(in_force: T) -> Self {
        Self {
            in_force,
            changed: None,
        }
    }

    /// What is in force.
    pub const fn in_force(&self) -> &T {
        &self.in_force
    }

    /// Whether what is seen has changed and was the same twice; then it is in force. A file that is being written may be
    /// empty or half there for a moment.
    ///
    /// ```
    /// let mut file = program::Settling::new("old");
    /// assert!(!file.is_settled("ne"));
    /// assert!(!file.is_settled("new"));
    /// assert!(file.is_settled("new"));
    /// assert_eq!(*file.in_force(), "new");
    /// ```
    pub fn is_settled(&mut self, seen: T) -> bool {
        if self.in_force == seen {
            self.changed = None;
            return false;
        }
        if self.changed.as_ref() != Some(&seen) {
            self.changed = Some(seen);
            return false;
        }
        self.changed = None;
        self.in_force = seen;
        true
    }
}
