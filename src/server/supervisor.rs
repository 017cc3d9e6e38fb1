//! Notifications to systemd for units with `Type=notify`: that the server is ready, reloads, stops, and is
//! alive (sd_notify(3)). Other supervisors set no `NOTIFY_SOCKET`; then nothing is sent.

use sd_notify::NotifyState;

/// Reports that callbacks are received.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// Reports that keys and tokens are being reloaded; [`ready`] follows afterwards.
pub fn reloading() {
    // systemd distinguishes this reload from an earlier one by its time.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!("the supervisor is not told of the reload: {error}"),
    }
}

/// Reports that the server is stopping.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// If the unit has a `WatchdogSec`, reports twice in that time that the runtime of both listeners is alive. Runs
/// until the runtime ends.
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
