//! Ctrl-C during apply: the requests under way end and are recorded, and nothing else begins. A
//! second one ends at once, which the journal survives.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::output;

static STOP: AtomicBool = AtomicBool::new(false);

/// What a shell gives for a command that an interrupt ended (128 + SIGINT).
const INTERRUPTED: i32 = 130;

/// Listens from now on. The flag is set once somebody presses Ctrl-C.
pub fn on_ctrl_c() -> &'static AtomicBool {
    tokio::spawn(async {
        interrupt().await;
        STOP.store(true, Ordering::Relaxed);
        output::note(
            "\nstopping: the requests under way are ended and recorded; Ctrl-C again ends at once",
        );
        interrupt().await;
        output::note(
            "ended at once: what was sent is in the journal, and the next apply reads live first",
        );
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
