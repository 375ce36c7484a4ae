//! Ctrl-C during apply: the requests under way end and are recorded, and nothing else begins. A
//! second one ends at once, which the journal survives.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::output;

static STOP: AtomicBool = AtomicBool::new(false);

/// What a shell gives for a command that an interrupt ended (128 + SIGINT).
const INTERRUPTED: i32 = 130;

/// Whether somebody asked this run to stop.
pub fn asked() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// Listens from now on; `again` is the command that goes on. The flag is set once somebody presses Ctrl-C.
pub fn on_ctrl_c(again: String) -> &'static AtomicBool {
    tokio::spawn(async move {
        interrupt().await;
        STOP.store(true, Ordering::Relaxed);
        output::note(
            "\nstopping: the requests under way end and are recorded; Ctrl-C again ends at once",
        );
        interrupt().await;
        output::note(&format!(
            "ended at once: what was sent is in the journal; next: {again} looks at live first and \
             goes on from there"
        ));
        std::process::exit(INTERRUPTED);
    });
    &STOP
}

/// Ctrl-C, or the signal by which a pipeline ends a job.
async fn interrupt() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
