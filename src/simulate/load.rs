//! The target and the rate of a simulated load.

use hyper::Uri;

/// The URL that the callbacks are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    text: String,
    authority: String,
    path: String,
}

impl Target {
    /// Parses `http://host:port/path`; the path may have a query. The error is a sentence for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        let uri = text.parse::<Uri>().ok();
        let Some((uri, authority)) = uri.as_ref().and_then(|uri| Some((uri, uri.authority()?)))
        else {
            return Err(format!("`{text}` is not of the form http://host:port/path"));
        };
        if uri.scheme_str() != Some("http") {
            return Err(format!(
                "`{text}` does not begin with http://, and TLS is not spoken here"
            ));
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { text: text.to_owned(), authority: authority.to_string(), path })
    }

    /// The URL as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host, and port if one was given.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Path and query.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// The settings of a load.
#[derive(Debug, Clone)]
pub struct Load {
    /// The URL that is called.
    pub target: Target,
    /// The number of callbacks in flight at once.
    pub connections: usize,
    /// Callbacks a second; without it, each connection sends the next one after each response.
    pub rate: Option<f64>,
    /// Sending stops after this many seconds.
    pub seconds: Option<f64>,
    /// The length in seconds of a compressed day, if the rate follows the day's curve.
    pub day_seconds: Option<f64>,
}
