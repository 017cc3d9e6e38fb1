//! The secret of a target, with which messages are signed as Standard Webhooks
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::twilio::accounts::SharedKey;

/// Precedes the base64 of a secret.
const PREFIX: &str = "whsec_";

/// The length of a secret, in bytes (section "Signature scheme").
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A secret that is shared with the target.
#[derive(Debug, Clone)]
pub struct WebhookSecret(SharedKey);

impl WebhookSecret {
    /// Reads `whsec_` and the base64 of 24 to 64 bytes. The error says what is wrong, without the secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let encoded = text.strip_prefix(PREFIX).ok_or_else(|| {
            format!("does not begin with {PREFIX}; make one with `echo {PREFIX}$(openssl rand -base64 32)`")
        })?;
        let bytes = STANDARD.decode(encoded).map_err(|_| {
            format!("is not base64 after {PREFIX}; make one with `echo {PREFIX}$(openssl rand -base64 32)`")
        })?;
        match BYTES.contains(&bytes.len()) {
            true => Ok(Self(SharedKey::from_bytes(&bytes))),
            false => Err(format!(
                "has {} bytes; a secret has {} to {}",
                bytes.len(),
                BYTES.start(),
                BYTES.end()
            )),
        }
    }

    /// The value of `webhook-signature` for a request with this id, time in seconds since 1970, and body.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let timestamp = timestamp.to_string();
        let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        format!("v1,{}", STANDARD.encode(self.0.sign(&parts)))
    }
}

#[cfg(test)]
mod tests {
    use super::WebhookSecret;

    #[test]
    fn a_message_is_signed_as_the_specification_shows() {
        let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        assert_eq!(
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_secret_of_another_form_is_described_without_repeating_it() {
        for (text, expected) in [
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "does not begin with whsec_"),
            ("whsec_***", "is not base64"),
            ("whsec_c2hvcnQ=", "has 5 bytes; a secret has 24 to 64"),
        ] {
            let error = WebhookSecret::parse(text).unwrap_err();
            assert!(error.starts_with(expected) && !error.contains("c2hvcnQ"), "{error}");
        }
    }
}
