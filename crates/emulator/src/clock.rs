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
        self.machine() + self.offset.load(Ordering::SeqCst)
    }

    /// The machine's own time, for what a client stamps by itself (a client assertion).
    pub fn machine(&self) -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| {
                i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
            })
    }

    /// Moves the emulated time forward by `seconds`; soaks and token lifetimes follow it.
    pub fn advance(&self, seconds: i64) {
        self.offset.fetch_add(seconds, Ordering::SeqCst);
    }

    /// The emulated time as `2026-01-31T08:05:09Z`.
    pub fn iso(&self) -> String {
        Self::iso_of(self.now())
    }

    /// A Unix time in the same form.
    pub fn iso_of(seconds: i64) -> String {
        let (year, month, day, hour, minute, second) = civil(seconds);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    /// A time in UTC, with or without a fraction and the `Z`, in the form of `iso_of`.
    pub fn whole_seconds(text: &str) -> Option<String> {
        let text = text.trim_end_matches(['Z', 'z']);
        let (seconds, fraction) = (text.get(..19)?, text.get(19..)?);
        let shape = seconds.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            10 => byte == b'T',
            13 | 16 => byte == b':',
            _ => byte.is_ascii_digit(),
        });
        let mut digits = fraction.strip_prefix('.').unwrap_or(fraction).bytes();
        (shape && digits.all(|byte| byte.is_ascii_digit())).then(|| format!("{seconds}Z"))
    }

    /// The emulated time as an HTTP `Date` header: `Sat, 31 Jan 2026 08:05:09 GMT`.
    pub fn http_date(&self) -> String {
        http_date(self.now())
    }
}

fn http_date(now: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (year, month, day, hour, minute, second) = civil(now);
    let weekday = DAYS[now.div_euclid(86_400).rem_euclid(7) as usize];
    let month = MONTHS[(month - 1) as usize];
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Year, month, day, hour, minute and second (UTC) of a Unix time.
fn civil(seconds: i64) -> (i64, i64, i64, i64, i64, i64) {
    let day_seconds = seconds.rem_euclid(86_400);
    // Days since 0000-03-01, so that a leap day is the last of its year.
    let days = seconds.div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (
        year,
        month,
        day,
        day_seconds / 3_600,
        day_seconds / 60 % 60,
        day_seconds % 60,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leap_day_has_its_date() {
        assert_eq!(civil(1_709_208_000), (2024, 2, 29, 12, 0, 0));
        assert_eq!(http_date(1_709_208_000), "Thu, 29 Feb 2024 12:00:00 GMT");
    }

    #[test]
    fn a_time_is_read_down_to_the_second() {
        let read = |text: &str| Clock::whole_seconds(text).unwrap_or_default();
        for text in ["2026-01-31T08:05:09.123Z", "2026-01-31T08:05:09"] {
            assert_eq!(read(text), "2026-01-31T08:05:09Z", "{text}");
        }
        for text in [
            "2026-01-31",
            "2026-01-31T08:05:09+01:00",
            "2026-01-31T08:05:é9",
        ] {
            assert_eq!(read(text), "", "{text}");
        }
    }

    #[test]
    fn advance_moves_every_clone() {
        let clock = Clock::default();
        let before = clock.clone().now();
        clock.advance(3_600);
        assert!(clock.clone().now() >= before + 3_600);
    }
}
