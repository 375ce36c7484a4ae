//! Dates between their text in the storage (`YYYY-MM-DD HH:MM:SS[.fffffff]`) and numbers.

/// A point in time as the wire wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Days since 0001-01-01.
    pub days: i64,
    /// Hundreds of nanoseconds since midnight.
    pub ticks: i64,
}

/// Days from 0001-01-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_162;
/// Days from 0001-01-01 to 1900-01-01, where `datetime` starts.
pub const DATETIME_DAYS: i64 = 693_595;
/// Hundreds of nanoseconds in a second.
pub const TICKS: i64 = 10_000_000;

/// The text of a time given in seconds since 1970.
pub fn text(epoch_seconds: i64) -> String {
    Moment {
        days: epoch_seconds.div_euclid(86_400) + EPOCH_DAYS,
        ticks: epoch_seconds.rem_euclid(86_400) * TICKS,
    }
    .to_text(0)
}

impl Moment {
    /// Reads `YYYY-MM-DD`, then optionally a blank or `T`, a time and a fraction; `Z` is allowed.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_end_matches('Z');
        let (date, time) = match text.split_once(['T', ' ']) {
            Some((date, time)) => (date, time),
            None => (text, "00:00:00"),
        };
        let mut date = date.splitn(3, '-').map(str::parse::<i64>);
        let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
        if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
        let mut clock = clock.splitn(3, ':').map(str::parse::<i64>);
        let hours = clock.next()?.ok()?;
        let minutes = clock.next()?.ok()?;
        let seconds = clock.next().map_or(Some(0), Result::ok)?;
        let fraction = format!("{fraction:0<7}").get(..7)?.parse::<i64>().ok()?;
        Some(Self {
            days: days_from_civil(year, month, day),
            ticks: (hours * 3600 + minutes * 60 + seconds) * TICKS + fraction,
        })
    }

    /// The text with `digits` of the fraction (0 to 7).
    pub fn to_text(self, digits: usize) -> String {
        let (year, month, day) = civil_from_days(self.days);
        let seconds = self.ticks / TICKS;
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let whole = format!("{year:04}-{month:02}-{day:02} {hours:02}:{minutes:02}:{seconds:02}");
        if digits == 0 {
            return whole;
        }
        let fraction = format!("{:07}", self.ticks % TICKS);
        format!("{whole}.{}", &fraction[..digits.min(7)])
    }

    pub fn plus_seconds(self, seconds: i64) -> Self {
        let total = self.days * 86_400 * TICKS + self.ticks + seconds * TICKS;
        Self {
            days: total.div_euclid(86_400 * TICKS),
            ticks: total.rem_euclid(86_400 * TICKS),
        }
    }

    pub fn seconds(self) -> i64 {
        self.days * 86_400 + self.ticks / TICKS
    }

    /// Year, month, day.
    pub fn civil(self) -> (i64, i64, i64) {
        civil_from_days(self.days)
    }
}

/// Days since 0001-01-01 in the proleptic Gregorian calendar; years start in March so that the
/// leap day comes last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 306
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 306;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days_are_counted_right() {
        assert_eq!(days_from_civil(1, 1, 1), 0);
        assert_eq!(days_from_civil(1900, 1, 1), DATETIME_DAYS);
        assert_eq!(days_from_civil(1970, 1, 1), EPOCH_DAYS);
    }

    #[test]
    fn text_and_moment_are_inverse() {
        for written in ["2024-02-29 23:59:58.1234567", "1999-12-31 00:00:00.0000000"] {
            assert_eq!(Moment::parse(written).unwrap().to_text(7), written);
        }
        assert_eq!(text(0), "1970-01-01 00:00:00");
        assert_eq!(text(951_782_400), "2000-02-29 00:00:00");
    }
}
