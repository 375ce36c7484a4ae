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
    /// Reads `YYYY-MM-DD`, a time, or both with a blank or `T` between them; a fraction and an
    /// offset are allowed.
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_with_offset(text).map(|(moment, _)| moment)
    }

    /// The local time as it is written, and its offset in minutes.
    pub fn parse_with_offset(text: &str) -> Option<(Self, i64)> {
        let (text, offset) = split_offset(text.trim())?;
        let (date, time) = match text.split_once(['T', ' ']) {
            Some((date, time)) => (date, time),
            // A time alone is one of the first day that there is in `datetime`.
            None if text.contains(':') => ("1900-01-01", text),
            None => (text, "00:00:00"),
        };
        let days = parse_date(date)?;
        let ticks = parse_time(time.trim())?;
        Some((Self { days, ticks }, offset))
    }

    /// Itself, when it is a time between the years 1 and 9999.
    pub fn checked(self) -> Option<Self> {
        let in_day = (0..86_400 * TICKS).contains(&self.ticks);
        let last = days_from_civil(9999, 12, 31);
        (in_day && (0..=last).contains(&self.days)).then_some(self)
    }

    /// The text of this time, which is in UTC, as it is at an offset of so many minutes.
    pub fn to_text_at(self, minutes: i16) -> Option<String> {
        let local = self.plus_seconds(i64::from(minutes) * 60)?.to_text(7);
        let sign = if minutes < 0 { '-' } else { '+' };
        let minutes = minutes.unsigned_abs();
        Some(format!(
            "{local} {sign}{:02}:{:02}",
            minutes / 60,
            minutes % 60
        ))
    }

    /// Rounded to so many digits of the fraction.
    pub fn rounded(self, digits: usize) -> Self {
        let unit = 10_i64.pow(7 - digits.min(7) as u32);
        self.rounded_to(unit)
    }

    /// Rounded to the minute, as `smalldatetime` is.
    pub fn to_minute(self) -> Self {
        self.rounded_to(60 * TICKS)
    }

    fn rounded_to(self, unit: i64) -> Self {
        let ticks = (self.ticks + unit / 2) / unit * unit;
        Self {
            days: self.days + ticks / (86_400 * TICKS),
            ticks: ticks % (86_400 * TICKS),
        }
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

    /// `None` past the first or the last day.
    pub fn plus_seconds(self, seconds: i64) -> Option<Self> {
        let days = self.days.checked_add(seconds.div_euclid(86_400))?;
        let ticks = self.ticks + seconds.rem_euclid(86_400) * TICKS;
        let days = days + ticks / (86_400 * TICKS);
        let last = days_from_civil(9999, 12, 31);
        (0..=last).contains(&days).then_some(Self {
            days,
            ticks: ticks % (86_400 * TICKS),
        })
    }

    pub fn seconds(self) -> i64 {
        self.days * 86_400 + self.ticks / TICKS
    }

    /// Year, month, day.
    pub fn civil(self) -> (i64, i64, i64) {
        civil_from_days(self.days)
    }
}

/// The bytes that a time of day takes with so many digits of its fraction.
pub fn clock_bytes(digits: u8) -> u8 {
    match digits {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    }
}

/// Takes `Z`, `+hh:mm` or `-hh:mm` off the end of a time.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(text) = text.strip_suffix('Z') {
        return Some((text, 0));
    }
    let Some(at) = text.len().checked_sub(6).filter(|_| text.is_ascii()) else {
        return Some((text, 0));
    };
    let (before, offset) = text.split_at(at);
    let sign = match offset.as_bytes()[0] {
        b'+' => 1,
        // A date has signs too; an offset follows a time.
        b'-' if before.contains(':') => -1,
        _ => return Some((text, 0)),
    };
    let (hours, minutes) = offset[1..].split_once(':')?;
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    let valid = (0..=14).contains(&hours) && (0..60).contains(&minutes);
    valid.then(|| (before.trim_end(), sign * (hours * 60 + minutes)))
}

/// A number of digits alone: no sign, no blank.
fn digits(text: &str) -> Option<i64> {
    let all = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| all)
}

fn parse_date(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '-').map(digits);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let valid = (1..=9999).contains(&year) && (1..=12).contains(&month) && day >= 1;
    let days = valid.then(|| days_from_civil(year, month, day.min(32)))?;
    (civil_from_days(days) == (year, month, day)).then_some(days)
}

fn parse_time(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut clock = clock.splitn(3, ':').map(digits);
    let (hours, minutes) = (clock.next()??, clock.next()??);
    let seconds = clock.next().unwrap_or(Some(0))?;
    let valid =
        (0..24).contains(&hours) && (0..60).contains(&minutes) && (0..60).contains(&seconds);
    digits(fraction)?;
    let fraction = digits(format!("{fraction:0<7}").get(..7)?)?;
    let seconds = hours * 3600 + minutes * 60 + seconds;
    valid.then_some(seconds * TICKS + fraction)
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
    fn what_is_no_time_is_refused() {
        for written in [
            "2023-02-29",
            "2024-01-01 24:00",
            "2024-01-01 10:61",
            "+1:00",
            "12:00.x",
            "é:00:00",
        ] {
            assert_eq!(Moment::parse(written), None, "{written}");
        }
        let (_, offset) = Moment::parse_with_offset("2024-01-01 10:00 +14:00").unwrap();
        assert_eq!(offset, 840);
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
