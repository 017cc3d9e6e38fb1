//! What systemd learns from a server that it starts with `Type=notify`: that it is ready, reloads, stops, and is
//! alive (sd_notify(3)). Other supervisors set no `NOTIFY_SOCKET`; then nothing is sent.

use sd_notify::NotifyState;

/// Says that callbacks are received.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// Says that keys and tokens are being read again; [`ready`] follows once they are.
pub fn reloading() {
    // systemd takes the time to tell this reload from an earlier one.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!("the supervisor is not told of the reload: {error}"),
    }
}

/// Says that the server stops.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// If the unit has a `WatchdogSec`, says twice in that time that the runtime of both listeners works. Runs until
/// the runtime ends.
pub fn start_watchdog() {
    let Some(within) = sd_notify::watchdog_enabled().filter(|within| !within.is_zero()) else {
        return;
    };
    let mut ticks = tokio::time::interval(within / 2);
    actix_web::rt::spawn(async move {
        loop {
            ticks.tick().await;
            notify(&[NotifyState::Watchdog]);
        }
    });
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!("the supervisor is not told {state:?}: {error}");
    }
}
