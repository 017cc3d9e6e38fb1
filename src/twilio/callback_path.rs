//! A path at which callbacks are received: one path, or every path below a prefix.

use std::fmt;

use percent_encoding::percent_decode_str;

/// The end of a setting that is a prefix.
const BELOW: &str = "/*";

/// A configured callback path. `/message-status` is that path alone; `/v1/sms/*` is every path that
/// begins with `/v1/sms/`, at any depth, `/v1/sms/` included and `/v1/sms` excluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackPath(String);

impl CallbackPath {
    /// Reads a setting. The error completes a sentence that begins with the path in backticks.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fixed = text.strip_suffix(BELOW).unwrap_or(text);
        if fixed.contains('*') {
            return Err("has a * that is not in a trailing /*, which matches every path below; \
                        give one path, or end it with /*"
                .to_owned());
        }
        if !text.starts_with('/') || !is_path(text) {
            return Err(
                "is not a path such as /message-status or /v1/sms/*: it begins with / and has \
                        no query, fragment, braces or spaces"
                    .to_owned(),
            );
        }
        if text == "/healthz" {
            return Err("is the path of the health check; choose another path".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// True if a request's path matches, ignoring differences in percent-encoding.
    pub fn matches(&self, requested: &str) -> bool {
        match self.prefix() {
            None if requested == self.0 => true,
            None => percent_decode_str(requested).eq(percent_decode_str(&self.0)),
            Some(prefix) => {
                let mut requested = percent_decode_str(requested);
                percent_decode_str(prefix).all(|byte| requested.next() == Some(byte))
            }
        }
    }

    /// True if it matches more than one path.
    pub fn is_prefix(&self) -> bool {
        self.prefix().is_some()
    }

    /// The path as it is configured.
    pub fn as_given(&self) -> &str {
        &self.0
    }

    /// The prefix of all matching paths, including the slash; `None` if it is a single path.
    pub fn prefix(&self) -> Option<&str> {
        self.0.ends_with(BELOW).then(|| &self.0[..self.0.len() - 1])
    }
}

impl fmt::Display for CallbackPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// True if it is valid on a request line and contains no pattern of a router.
fn is_path(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`?#{}".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::CallbackPath;

    #[test]
    fn a_path_is_that_path_alone_and_a_prefix_is_everything_below_it() {
        let one = CallbackPath::parse("/message-status").unwrap();
        assert!(one.matches("/message-status") && one.matches("/message%2Dstatus"));
        assert!(!one.matches("/message-status/") && !one.matches("/message-status/1"));

        let below = CallbackPath::parse("/v1/sms/*").unwrap();
        for path in ["/v1/sms/", "/v1/sms/x", "/v1/sms/x/y", "/v1/%73ms/x", "/v1/sms/*"] {
            assert!(below.matches(path), "{path}");
        }
        for path in ["/v1/sms", "/v1/smsx", "/v1/other/x", "/", ""] {
            assert!(!below.matches(path), "{path}");
        }
        assert!(CallbackPath::parse("/*").unwrap().matches("/anything/at/all"));
    }

    #[test]
    fn a_star_is_only_taken_at_the_end() {
        for path in ["/v1/*/sms", "/v1/sms*", "/*/*", "/a*/*", "*"] {
            let error = CallbackPath::parse(path).unwrap_err();
            assert!(error.contains("has a * that is not in a trailing /*"), "{path}: {error}");
        }
    }
}
