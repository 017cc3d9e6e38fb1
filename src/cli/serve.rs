//! `serve`: runs the server, with both listeners, until a signal stops it.

use anyhow::Result;

use super::{Outcome, help};
use crate::config::{self, Flags, Settings};
use crate::server;

/// The arguments of `serve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long, value_name = "ADDRESS", help = help(&config::LISTEN,
        "The address on which callbacks are received"))]
    listen: Option<String>,

    #[arg(long, value_name = "ADDRESS", help = help(&config::ADMIN_LISTEN,
        "The address of the admin API, which answers queries"))]
    admin_listen: Option<String>,

    #[arg(long = "callback-path", value_name = "PATH", help = help(&config::CALLBACK_PATH,
        "A path on which callbacks are received; /v1/sms/* stands for every path below it; repeatable"))]
    callback_paths: Vec<String>,

    #[arg(long, value_name = "PATH", help = help(&config::EVENT_STREAMS_PATH,
        "The path on which Event Streams are received; callback paths accept them too"))]
    event_streams_path: Option<String>,

    #[arg(long = "public-url", value_name = "URL", help = help(&config::PUBLIC_URL,
        "The scheme, host, port and path prefix under which Twilio calls this server; repeatable"))]
    public_urls: Vec<String>,

    #[arg(long, value_name = "TIME", help = help(&config::VERIFY_EVERY,
        "How often the log is verified in the background, such as 24h, or off"))]
    verify_every: Option<String>,

    #[arg(long, value_name = "TIME", help = help(&config::RECONCILE_EVERY,
        "How often to ask Twilio for statuses that callbacks did not report, such as 6h, or off"))]
    reconcile_every: Option<String>,
}

impl Args {
    /// True if a public URL is among them.
    pub fn has_public_url(&self) -> bool {
        !self.public_urls.is_empty()
    }

    /// The flags as settings.
    pub fn flags(&self) -> Flags {
        Flags::default()
            .with(&config::LISTEN, self.listen.clone())
            .with(&config::ADMIN_LISTEN, self.admin_listen.clone())
            .with(&config::CALLBACK_PATH, self.callback_paths.clone())
            .with(&config::EVENT_STREAMS_PATH, self.event_streams_path.clone())
            .with(&config::PUBLIC_URL, self.public_urls.clone())
            .with(&config::VERIFY_EVERY, self.verify_every.clone())
            .with(&config::RECONCILE_EVERY, self.reconcile_every.clone())
    }
}

/// Serves until SIGTERM or Ctrl-C.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    server::run(&settings.with_flags(args.flags())).map(|()| Outcome::Done)
}
