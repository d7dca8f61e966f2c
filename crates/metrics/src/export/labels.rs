//! Label text, rendered once and written many times.
//!
//! A [`Group`] is a type, and a [`Text`] belongs to one group. A family takes the text of its own group only, so a
//! sample with other labels than the catalogue declares does not compile.

use std::marker::PhantomData;

/// Labels that belong together: one value for each name.
pub(crate) trait Group {
    /// An array with one text for each label.
    type Of<'a>: AsRef<[&'a str]>;
    /// The names.
    const NAMES: Self::Of<'static>;
}

/// What the samples of a family can be about: one group, or any of several.
pub(crate) trait Labels {
    /// The names of each group.
    const SETS: &'static [&'static [&'static str]];
}

/// A group whose samples a family with the labels `F` takes.
pub(crate) trait Within<F: Labels>: Group {}

impl<G: Group + Labels> Within<G> for G {}

macro_rules! groups {
    ($($(#[$docs:meta])* $name:ident = [$($label:literal),*];)*) => {
        $(
            $(#[$docs])*
            #[derive(Debug)]
            pub(crate) enum $name {}

            impl Group for $name {
                type Of<'a> = [&'a str; len(&[$($label),*])];
                const NAMES: Self::Of<'static> = [$($label),*];
            }

            impl Labels for $name {
                const SETS: &'static [&'static [&'static str]] = &[&[$($label),*]];
            }
        )*
    };
}

macro_rules! unions {
    ($($(#[$docs:meta])* $name:ident = $($group:ident)|+;)*) => {
        $(
            $(#[$docs])*
            #[derive(Debug)]
            pub(crate) enum $name {}

            impl Labels for $name {
                const SETS: &'static [&'static [&'static str]] = &[$($group::SETS[0]),+];
            }

            $(impl Within<$name> for $group {})+
        )*
    };
}

/// Labels that an operator gives to a pool: names and values.
pub(crate) type OwnLabels = [(String, String)];

/// The length of a list of names; of an empty one, too, whose type nothing else determines.
pub(crate) const fn len(names: &[&str]) -> usize {
    names.len()
}

groups! {
    /// No labels: what exists once in a process.
    Process = [];
    /// One pool. These are the names of Dynamo's own metrics. Bare `namespace` and `endpoint` collide with what
    /// Prometheus and its operator add.
    Pool = ["dynamo_namespace", "dynamo_component", "dynamo_endpoint"];
    /// One worker.
    Worker = ["dynamo_namespace", "dynamo_component", "dynamo_endpoint", "worker_id"];
    /// One endpoint of a plain NATS service.
    ServicePool = ["nats_service", "nats_endpoint"];
    /// One instance of a plain NATS service's endpoint.
    ServiceInstance = ["nats_service", "nats_endpoint", "instance_id"];
    /// One pool, by upstream's labels.
    UpstreamPool = ["component", "endpoint"];
    /// One worker, by upstream's labels.
    UpstreamWorker = ["component", "endpoint", "worker_id"];
}

unions! {
    /// One pool, of workers or of a plain service.
    AnyPool = Pool | ServicePool;
    /// One member of a pool.
    AnyMember = Worker | ServiceInstance;
}

/// The text of one group's labels, as it is between the name and the value of a sample: `{a="1",b="2"} `.
#[derive(Debug)]
pub(crate) struct Text<'a, G> {
    bytes: &'a [u8],
    group: PhantomData<fn() -> G>,
}

impl<G> Copy for Text<'_, G> {}

impl<G> Clone for Text<'_, G> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<'a, G> Text<'a, G> {
    /// All of it.
    pub(crate) fn between(self) -> &'a [u8] {
        self.bytes
    }

    /// The same, for a family that takes samples of several groups.
    pub(crate) fn widened<F: Labels>(self) -> Text<'a, F>
    where
        G: Within<F>,
    {
        Text {
            bytes: self.bytes,
            group: PhantomData,
        }
    }

    /// What is between the braces.
    pub(crate) fn within(self) -> &'a [u8] {
        let inner = self
            .bytes
            .strip_prefix(b"{")
            .and_then(|text| text.strip_suffix(b"} "));
        inner.unwrap_or_default()
    }
}

impl Text<'_, Process> {
    /// No labels.
    pub(crate) const NONE: Self = Self {
        bytes: b" ",
        group: PhantomData,
    };
}

/// Many [`Text`]s of one group in one piece of memory.
#[derive(Debug)]
pub(crate) struct Texts<G> {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    group: PhantomData<fn() -> G>,
}

impl<G> Default for Texts<G> {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            ends: Vec::new(),
            group: PhantomData,
        }
    }
}

impl<G: Group> Texts<G> {
    /// Renders the texts of labels with these values, in place of those before. Each is followed by the labels that an
    /// operator gives to its pool.
    pub(crate) fn render<'v>(&mut self, values: impl IntoIterator<Item = (G::Of<'v>, &'v OwnLabels)>) {
        self.bytes.clear();
        self.ends.clear();
        let names = G::NAMES;
        for (values, own) in values {
            let mut before = b'{';
            let own = own.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let declared = names
                .as_ref()
                .iter()
                .copied()
                .zip(values.as_ref().iter().copied());
            for (name, value) in declared.chain(own) {
                self.bytes.push(before);
                write_label(&mut self.bytes, name, value);
                before = b',';
            }
            self.bytes.extend_from_slice(b"} ");
            self.ends.push(self.bytes.len());
        }
    }

    /// All of them, in the order in which they were rendered.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Text<'_, G>> {
        let mut start = 0;
        self.ends.iter().map(move |end| Text {
            bytes: &self.bytes[std::mem::replace(&mut start, *end)..*end],
            group: PhantomData,
        })
    }
}

/// Writes `name="value"`. Both formats escape a backslash, a quote and a line feed, and nothing else.
pub(crate) fn write_label(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    write_escaped(out, value, true);
    out.push(b'"');
}

/// Writes text with a backslash before each backslash and, if they are to be escaped, each quote.
pub(crate) fn write_escaped(out: &mut Vec<u8>, text: &str, escape_quotes: bool) {
    let is_special = |byte: u8| byte == b'\\' || byte == b'\n' || (escape_quotes && byte == b'"');
    let bytes = text.as_bytes();
    let mut done = 0;
    for (index, byte) in bytes.iter().copied().enumerate() {
        if is_special(byte) {
            out.extend_from_slice(&bytes[done..index]);
            out.extend_from_slice(&[b'\\', if byte == b'\n' { b'n' } else { byte }]);
            done = index + 1;
        }
    }
    out.extend_from_slice(&bytes[done..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_text_is_escaped_and_separated() {
        let mut texts = Texts::<UpstreamPool>::default();
        texts.render([(["forgotten", ""], &[][..])]);
        let own = [("team".to_owned(), "\"a\"".to_owned())];
        texts.render([(["a\"b", "c\\d\ne"], &[][..]), (["", "x\u{0}\u{202e}"], &own)]);
        let shown: Vec<_> = texts
            .iter()
            .map(|text| String::from_utf8_lossy(text.between()))
            .collect();
        assert_eq!(
            shown,
            [
                "{component=\"a\\\"b\",endpoint=\"c\\\\d\\ne\"} ",
                "{component=\"\",endpoint=\"x\u{0}\u{202e}\",team=\"\\\"a\\\"\"} "
            ]
        );
        let within: Vec<_> = texts.iter().map(Text::within).collect();
        assert!(within[1].starts_with("component=\"\",endpoint=\"x\u{0}\u{202e}\",".as_bytes()));
        assert_eq!((Text::NONE.between(), Text::NONE.within()), (&b" "[..], &b""[..]));
    }
}
