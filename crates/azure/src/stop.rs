//! Waits that a person cuts short.
//!
//! Invariant: once the run is asked to stop, no wait between two tries goes on, and no try follows
//! it. An operation that a service carries out already is followed to its end all the same: it is
//! under way, whoever looks.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often a wait looks whether it is to end: sooner than a person would press again.
const GLANCE: Duration = Duration::from_millis(100);

/// Whether somebody asked to stop; nobody can before [`Stop::heed`].
#[derive(Default)]
pub(crate) struct Stop(OnceLock<&'static AtomicBool>);

impl Stop {
    /// From now on, waits end once `stop` is set. The first flag counts.
    pub fn heed(&self, stop: &'static AtomicBool) {
        self.0.get_or_init(|| stop);
    }

    /// Waits. False when it was cut short: then nothing may follow it.
    pub async fn wait(&self, wait: Duration) -> bool {
        let Some(stop) = self.0.get() else {
            sleep(wait).await;
            return true;
        };
        let until = Instant::now() + wait;
        while !stop.load(Ordering::Relaxed) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            sleep(left.min(GLANCE)).await;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_once_somebody_asks_to_stop() {
        static ASKED: AtomicBool = AtomicBool::new(false);
        let stop = Stop::default();
        stop.heed(&ASKED);
        let began = Instant::now();
        let asks = async {
            sleep(Duration::from_secs(60)).await;
            ASKED.store(true, Ordering::Relaxed);
        };
        let (whole, ()) = tokio::join!(stop.wait(HOUR), asks);
        assert!(!whole && began.elapsed() < Duration::from_secs(61));
        assert!(!stop.wait(HOUR).await && !stop.wait(Duration::ZERO).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_nobody_cuts_short_is_as_long_as_asked() {
        static ASKED: AtomicBool = AtomicBool::new(false);
        let heeding = Stop::default();
        heeding.heed(&ASKED);
        for stop in [Stop::default(), heeding] {
            let began = Instant::now();
            assert!(stop.wait(HOUR).await && began.elapsed() >= HOUR);
        }
    }
}
