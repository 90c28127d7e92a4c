//! Moments and their text form.

use std::fmt;

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;

/// How far the clocks of two nodes may differ, in seconds.
pub const CLOCK_SKEW_S: u32 = 60;

/// A moment in UTC, in microseconds since the Unix epoch: what both databases keep exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The first moment that RFC 3339 can write (year 0).
    const EARLIEST_US: i64 = -62_167_219_200_000_000;
    /// The last moment that RFC 3339 can write (year 9999).
    const LATEST_US: i64 = 253_402_300_799_999_999;

    /// A moment from microseconds since the epoch, held within the years 0 to 9999.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        if micros < Self::EARLIEST_US {
            Self(Self::EARLIEST_US)
        } else if micros > Self::LATEST_US {
            Self(Self::LATEST_US)
        } else {
            Self(micros)
        }
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, as JWT's `NumericDate` wants them.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This moment moved forward by whole seconds; it saturates at the year 9999.
    #[must_use]
    pub const fn plus_seconds(self, seconds: u32) -> Self {
        Self::from_micros(self.0.saturating_add(seconds as i64 * 1_000_000))
    }

    /// This moment moved back by whole seconds; it saturates at the year 0.
    #[must_use]
    pub const fn minus_seconds(self, seconds: u32) -> Self {
        Self::from_micros(self.0.saturating_sub(seconds as i64 * 1_000_000))
    }

    /// This moment moved forward by milliseconds; it saturates at the year 9999.
    #[must_use]
    pub const fn plus_millis(self, millis: u32) -> Self {
        Self::from_micros(self.0.saturating_add(millis as i64 * 1_000))
    }

    /// Whether `now` is less than so many seconds after this moment. A moment further ahead of `now` than the clocks of
    /// two nodes differ was taken by a clock that has been set back since: it is not.
    #[must_use]
    pub fn is_within(self, seconds: u32, now: Self) -> bool {
        self <= now.plus_seconds(CLOCK_SKEW_S) && now < self.plus_seconds(seconds)
    }

    /// Reads an RFC 3339 moment with any offset.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(raw, &Rfc3339).ok()?;
        let micros = i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000)).ok()?;
        (Self::EARLIEST_US..=Self::LATEST_US).contains(&micros).then_some(Self(micros))
    }
}

/// The length of a moment in RFC 3339, in UTC with six fraction digits.
const TEXT_LEN: usize = "2026-11-22T17:30:18.000001Z".len();

impl Timestamp {
    /// RFC 3339 in UTC with six fraction digits, so that text sorts as time does. Lists write hundreds of these, hence no
    /// formatting machinery.
    fn text(self) -> Result<[u8; TEXT_LEN], fmt::Error> {
        let moment = OffsetDateTime::from_unix_timestamp(self.as_seconds()).map_err(|_| fmt::Error)?;
        let year = moment.year().try_into().map_err(|_| fmt::Error)?;
        let micros = self.0.rem_euclid(1_000_000).try_into().map_err(|_| fmt::Error)?;
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        put_digits(&mut text[0..4], year);
        put_digits(&mut text[5..7], u8::from(moment.month()).into());
        put_digits(&mut text[8..10], moment.day().into());
        put_digits(&mut text[11..13], moment.hour().into());
        put_digits(&mut text[14..16], moment.minute().into());
        put_digits(&mut text[17..19], moment.second().into());
        put_digits(&mut text[20..26], micros);
        Ok(text)
    }
}

/// Writes a number in decimal, with leading zeros.
fn put_digits(text: &mut [u8], mut number: u32) {
    for digit in text.iter_mut().rev() {
        *digit = b"0123456789"[(number % 10) as usize];
        number /= 10;
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with six fraction digits, so that text sorts as time does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text()?;
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.text().map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(std::str::from_utf8(&text).map_err(serde::ser::Error::custom)?)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn text_and_moment_agree() {
        for raw in ["2026-11-22T17:30:18.000001Z", "1969-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"] {
            assert_eq!(Timestamp::parse(raw).unwrap().to_string(), raw);
        }
        assert_eq!(Timestamp::parse("2026-11-22T19:30:18+02:00").unwrap().to_string(), "2026-11-22T17:30:18.000000Z");
        assert_eq!(Timestamp::parse("2026-11-22"), None);
    }
}
