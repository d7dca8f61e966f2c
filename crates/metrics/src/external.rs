//! [`ExternalUrl`]: where a reverse proxy serves the page.

use std::fmt;
use std::str::FromStr;

/// An address of the page as people see it.
///
/// ```
/// use metrics::external::ExternalUrl;
/// let url: ExternalUrl = "https://ops.example.com/llm/".parse()?;
/// assert_eq!((url.prefix(), url.to_string().as_str()), ("/llm", "https://ops.example.com/llm/"));
/// assert!("ops.example.com/llm".parse::<ExternalUrl>().is_err());
/// # Ok::<(), metrics::external::ExternalUrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalUrl {
    origin: String,
    prefix: String,
}

/// A text that is no address of a page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExternalUrlError {
    /// It does not begin as an address does.
    #[error("it must begin with http:// or https:// and a host, e.g. https://ops.example.com/llm/")]
    Scheme,
    /// It has what a prefix of addresses cannot have.
    #[error("it must end after the path: no query, no fragment, no user")]
    Rest,
    /// The path has other characters than names of paths have.
    #[error("the path may have letters, digits and - . _ ~ between its slashes")]
    Path,
}

impl ExternalUrl {
    /// The path without a slash at its end; empty for the root.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl FromStr for ExternalUrl {
    type Err = ExternalUrlError;

    fn from_str(text: &str) -> Result<Self, ExternalUrlError> {
        let rest = (text.strip_prefix("https://"))
            .or_else(|| text.strip_prefix("http://"))
            .ok_or(ExternalUrlError::Scheme)?;
        if rest.contains(['?', '#', '@']) {
            return Err(ExternalUrlError::Rest);
        }
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        if host.is_empty() || !host.chars().all(is_host) {
            return Err(ExternalUrlError::Scheme);
        }
        let prefix = path.trim_end_matches('/');
        let is_name = |name: &str| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
            !name.is_empty() && name != "." && name != ".." && name.chars().all(is_plain)
        };
        if !prefix.is_empty() && !prefix[1..].split('/').all(is_name) {
            return Err(ExternalUrlError::Path);
        }
        Ok(Self {
            origin: text[..text.len() - path.len()].to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

impl fmt::Display for ExternalUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}/", self.origin, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_path_of_names() {
        fn check(text: &str, expected: Result<&str, ExternalUrlError>) {
            let read = text.parse::<ExternalUrl>();
            assert_eq!(
                read.as_ref().map(ExternalUrl::prefix),
                expected.as_ref().copied(),
                "{text}"
            );
        }
        check("http://a", Ok(""));
        check("http://a:80/", Ok(""));
        check("https://[::1]:9091/a/b//", Ok("/a/b"));
        check("/llm", Err(ExternalUrlError::Scheme));
        check("https:///llm", Err(ExternalUrlError::Scheme));
        check("http://a/b?c", Err(ExternalUrlError::Rest));
        check("http://u:p@a/b", Err(ExternalUrlError::Rest));
        check("http://a/b//c", Err(ExternalUrlError::Path));
        check("http://a/../c", Err(ExternalUrlError::Path));
        check("http://a/{b}", Err(ExternalUrlError::Path));
    }
}
