//! `serve`: runs the server, with both listeners, until a signal stops it.

use anyhow::Result;

use super::Outcome;
use crate::config::{ServeFlags, Settings};
use crate::server;

/// The arguments of `serve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where callbacks are received [default: 127.0.0.1:8080] [env: DELIVERY_LEDGER_LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,

    /// Where questions are answered [default: 127.0.0.1:8081] [env: DELIVERY_LEDGER_ADMIN_LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<String>,

    /// A path for callbacks, or every path below it with /v1/sms/*; repeatable
    /// [default: /message-status] [env: DELIVERY_LEDGER_CALLBACK_PATH]
    #[arg(long = "callback-path", value_name = "PATH")]
    callback_paths: Vec<String>,

    /// Scheme, host, port and path prefix that Twilio calls; repeatable
    /// [env: DELIVERY_LEDGER_PUBLIC_URL]
    #[arg(long = "public-url", value_name = "URL")]
    public_urls: Vec<String>,

    /// How often the log is verified in the background, such as 24h, or off [default: 24h]
    /// [env: DELIVERY_LEDGER_VERIFY_EVERY]
    #[arg(long, value_name = "TIME")]
    verify_every: Option<String>,

    /// How often Twilio is asked for what its callbacks did not tell, such as 6h, or off [default: off]
    /// [env: DELIVERY_LEDGER_RECONCILE_EVERY]
    #[arg(long, value_name = "TIME")]
    reconcile_every: Option<String>,
}

impl Args {
    /// The flags as settings.
    pub fn flags(&self) -> ServeFlags {
        ServeFlags {
            listen: self.listen.clone(),
            admin_listen: self.admin_listen.clone(),
            callback_paths: self.callback_paths.clone(),
            public_urls: self.public_urls.clone(),
            verify_every: self.verify_every.clone(),
            reconcile_every: self.reconcile_every.clone(),
        }
    }
}

/// Serves until SIGTERM or Ctrl-C.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    server::run(args.flags(), settings).map(|()| Outcome::Done)
}
