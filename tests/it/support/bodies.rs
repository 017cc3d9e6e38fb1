//! Callback bodies as Twilio writes them.

/// The configured account.
pub const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
/// A second account, configured in the file.
pub const OTHER_ACCOUNT: &str = "ACfedcba9876543210fedcba9876543210";

/// A valid message SID that ends with this number.
pub fn sid(number: u32) -> String {
    format!("SM{number:032x}")
}

/// A builder for a callback's parameters.
#[derive(Debug, Clone)]
pub struct MessageBody(Vec<(String, String)>);

/// A callback that reports this status of this message.
pub fn status(sid: &str, status: &str) -> MessageBody {
    MessageBody(Vec::new())
        .with("SmsSid", sid)
        .with("SmsStatus", status)
        .with("MessageStatus", status)
        .with("To", "+15558675310")
        .with("MessageSid", sid)
        .with("AccountSid", ACCOUNT)
        .with("From", "+15017250604")
        .with("ApiVersion", "2010-04-01")
}

/// A callback that reports `sent`.
pub fn sent(sid: &str) -> MessageBody {
    status(sid, "sent")
}

/// A callback that reports `delivered`, with the carrier's receipt.
pub fn delivered(sid: &str) -> MessageBody {
    status(sid, "delivered").with("RawDlrDoneDate", "2511160837")
}

/// A callback that reports `failed`, with this error code.
pub fn failed(sid: &str, error_code: &str) -> MessageBody {
    status(sid, "failed").with("ErrorCode", error_code)
}

impl MessageBody {
    /// Adds a parameter, or replaces its value.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        match self.0.iter_mut().find(|(have, _)| have == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Removes a parameter.
    pub fn without(mut self, name: &str) -> Self {
        self.0.retain(|(have, _)| have != name);
        self
    }

    /// Encodes the parameters as a form.
    pub fn bytes(&self) -> Vec<u8> {
        let encode = |text: &str| {
            let encoded = text.bytes().map(|byte| match byte {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' => {
                    char::from(byte).to_string()
                }
                b' ' => "+".to_owned(),
                other => format!("%{other:02X}"),
            });
            encoded.collect::<String>()
        };
        let pairs =
            self.0.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        pairs.collect::<Vec<_>>().join("&").into_bytes()
    }
}

impl From<MessageBody> for Vec<u8> {
    fn from(body: MessageBody) -> Self {
        body.bytes()
    }
}
