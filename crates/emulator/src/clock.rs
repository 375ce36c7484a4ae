//! The emulator's time: the machine's clock plus an offset that a test or a demo moves forward.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since the Unix epoch, as every part of one emulator sees them.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset: Arc<AtomicI64>,
}

impl Clock {
    /// The emulated time in whole seconds since 1970-01-01T00:00:00Z.
    pub fn now(&self) -> i64 {
        let machine = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_secs() as i64);
        machine + self.offset.load(Ordering::SeqCst)
    }

    /// Moves the emulated time forward by `seconds`; soaks and token lifetimes follow it.
    pub fn advance(&self, seconds: i64) {
        self.offset.fetch_add(seconds, Ordering::SeqCst);
    }
}
