//! How many reads run at once: as many as the service bears.
//!
//! API Management throttles by a number that nobody publishes (azure-facts A.5), so the limit is
//! found: it is halved when a read is answered 429, once for each burst, and grows by one after a
//! long run of other answers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

/// The limit at the start.
const FIRST: usize = 8;
/// The highest limit.
const MOST: usize = 32;
/// The limit grows after this many times itself of answers that are no 429.
const CALM: usize = 4;

pub(crate) struct Readers {
    slots: Semaphore,
    fit: Mutex<Fit>,
}

struct Fit {
    limit: usize,
    /// Slots that go away when the reads that hold them end.
    owed: usize,
    /// Answers since the limit last changed.
    calm: usize,
    /// How often it was halved.
    halved: usize,
}

/// The right to send one read; it ends when it is dropped.
pub(crate) struct Slot<'a> {
    readers: &'a Readers,
    permit: Option<SemaphorePermit<'a>>,
    /// [`Fit::halved`] when it began: what was sent before a halving says nothing about after.
    halved: usize,
}

impl Default for Readers {
    fn default() -> Self {
        let fit = Fit {
            limit: FIRST,
            owed: 0,
            calm: 0,
            halved: 0,
        };
        Self {
            slots: Semaphore::new(FIRST),
            fit: Mutex::new(fit),
        }
    }
}

impl Readers {
    /// Waits for a slot.
    pub async fn enter(&self) -> Slot<'_> {
        // Never closed, so there is always a permit.
        let permit = self.slots.acquire().await.ok();
        Slot {
            readers: self,
            permit,
            halved: self.fit().halved,
        }
    }

    fn fit(&self) -> MutexGuard<'_, Fit> {
        self.fit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot<'_> {
    /// Learns from the answer to the read.
    pub fn answered(&self, status: u16) {
        let mut fit = self.readers.fit();
        if self.halved != fit.halved {
            return;
        }
        match status {
            429 => self.halve(&mut fit),
            _ => self.grow(&mut fit),
        }
    }

    fn halve(&self, fit: &mut Fit) {
        let limit = (fit.limit / 2).max(1);
        let less = fit.limit - limit;
        fit.owed += less - self.readers.slots.forget_permits(less);
        fit.limit = limit;
        fit.calm = 0;
        fit.halved += 1;
    }

    fn grow(&self, fit: &mut Fit) {
        fit.calm += 1;
        if fit.calm < CALM * fit.limit || fit.limit == MOST {
            return;
        }
        match fit.owed {
            0 => self.readers.slots.add_permits(1),
            _ => fit.owed -= 1,
        }
        fit.limit += 1;
        fit.calm = 0;
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut fit = self.readers.fit();
        if fit.owed > 0
            && let Some(permit) = self.permit.take()
        {
            fit.owed -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// Takes every slot that is free.
    fn fill(readers: &Readers) -> Vec<Slot<'_>> {
        std::iter::from_fn(|| readers.enter().now_or_never()).collect()
    }

    fn answer(readers: &Readers, status: u16, times: usize) {
        for _ in 0..times {
            readers.enter().now_or_never().unwrap().answered(status);
        }
    }

    #[test]
    fn eight_reads_run_at_once_and_the_ninth_waits() {
        let readers = Readers::default();
        let mut slots = fill(&readers);
        assert_eq!(slots.len(), 8);
        slots.pop();
        assert_eq!(fill(&readers).len(), 1);
    }

    #[test]
    fn a_burst_of_429_halves_the_limit_once() {
        let readers = Readers::default();
        let slots = fill(&readers);
        slots.iter().for_each(|slot| slot.answered(429));
        assert_eq!(fill(&readers).len(), 0);
        drop(slots);
        let slots = fill(&readers);
        assert_eq!(slots.len(), 4);
        slots[0].answered(429);
        drop(slots);
        assert_eq!(fill(&readers).len(), 2);
    }

    #[test]
    fn one_read_always_runs() {
        let readers = Readers::default();
        answer(&readers, 429, 10);
        assert_eq!(fill(&readers).len(), 1);
    }

    #[test]
    fn the_limit_grows_slowly_and_not_without_end() {
        let readers = Readers::default();
        answer(&readers, 200, 31);
        assert_eq!(fill(&readers).len(), 8);
        answer(&readers, 503, 1);
        assert_eq!(fill(&readers).len(), 9);
        answer(&readers, 200, 10_000);
        assert_eq!(fill(&readers).len(), MOST);
    }

    #[test]
    fn it_grows_again_after_a_429_with_no_slot_lost() {
        let readers = Readers::default();
        let slots = fill(&readers);
        slots[0].answered(429);
        // One of the four slots to go is kept for the growth.
        readers.fit().calm = CALM * 4 - 1;
        let halved = readers.fit().halved;
        let later = Slot {
            readers: &readers,
            permit: None,
            halved,
        };
        later.answered(200);
        drop((slots, later));
        assert_eq!(fill(&readers).len(), 5);
    }
}
