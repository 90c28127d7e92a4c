//! Times in the formats of other systems.

use serde_json::Value;
use time::format_description::well_known::{Rfc2822, Rfc3339};
use time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

/// Numbers above this are milliseconds: as seconds, it is the year 5138.
const SECONDS_MAX: f64 = 1e11;
/// Numbers above this are microseconds.
const MILLIS_MAX: f64 = 1e14;

/// Why a value is not a time.
pub(crate) struct NotATime;

/// A time in RFC 3339, UTC; `None` if the value represents no time: null, empty, zero, `0000-00-00 00:00:00`, year 1.
///
/// Reads ISO 8601 with a space or `T`, with or without an offset (then UTC), dates, seconds and milliseconds since 1970
/// as number or string, RFC 2822, `/Date(…)/` of .NET and `{"$date": …}` of `MongoDB`.
pub(crate) fn rfc3339(value: &Value) -> Result<Option<String>, NotATime> {
    let moment = match value {
        Value::Null | Value::Bool(false) => None,
        Value::Number(number) => of_number(number.as_f64().ok_or(NotATime)?)?,
        Value::String(text) => of_text(text.trim())?,
        Value::Object(object) => match object.get("$date").or_else(|| object.get("$numberLong")) {
            Some(inner) => return rfc3339(inner),
            None => return Err(NotATime),
        },
        _ => return Err(NotATime),
    };
    // The zero values of Go and .NET.
    let moment = moment.filter(|moment| moment.year() > 1);
    moment.map(|moment| moment.to_offset(UtcOffset::UTC).format(&Rfc3339).map_err(|_| NotATime)).transpose()
}

fn of_number(number: f64) -> Result<Option<OffsetDateTime>, NotATime> {
    if number == 0.0 {
        return Ok(None);
    }
    let micros = match number.abs() {
        size if size > MILLIS_MAX => number,
        size if size > SECONDS_MAX => number * 1e3,
        _ => number * 1e6,
    };
    #[expect(clippy::cast_possible_truncation, reason = "bounded before, and fractions of a microsecond are dropped")]
    let micros = if micros.abs() < 1e18 { micros.round() as i128 } else { return Err(NotATime) };
    OffsetDateTime::from_unix_timestamp_nanos(micros * 1_000).map(Some).map_err(|_| NotATime)
}

fn of_text(text: &str) -> Result<Option<OffsetDateTime>, NotATime> {
    if text.is_empty() || text.starts_with("0000-00-00") {
        return Ok(None);
    }
    if let Some(millis) = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")) {
        // An offset after the milliseconds does not change the moment.
        let end =
            millis.char_indices().skip(1).find(|(_, at)| matches!(at, '+' | '-')).map_or(millis.len(), |(at, _)| at);
        let millis: i64 = millis[..end].parse().map_err(|_| NotATime)?;
        let nanos = i128::from(millis) * 1_000_000;
        return OffsetDateTime::from_unix_timestamp_nanos(nanos).map(Some).map_err(|_| NotATime);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return of_number(text.parse().map_err(|_| NotATime)?);
    }
    if let Some(moment) = iso(text) {
        return Ok(Some(moment));
    }
    OffsetDateTime::parse(text, &Rfc2822).map(Some).map_err(|_| NotATime)
}

/// `2024-01-31`, then optionally `T` or a space, a time with or without seconds and fraction, and an offset.
fn iso(text: &str) -> Option<OffsetDateTime> {
    let (date, rest) = text.split_at_checked(10)?;
    let date = iso_date(date)?;
    if rest.is_empty() {
        return Some(date.midnight().assume_utc());
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let time_end = rest.find(|at: char| !(at.is_ascii_digit() || at == ':' || at == '.')).unwrap_or(rest.len());
    let (time, offset) = rest.split_at(time_end);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut parts = clock.split(':').map(two_digits);
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    if parts.next().is_some() {
        return None;
    }
    let time = Time::from_hms_nano(hour, minute, second.min(59), nanos(fraction)?).ok()?;
    let offset = iso_offset(offset.trim_start())?;
    // A leap second is the second after.
    let leap = Duration::seconds(i64::from(second == 60));
    PrimitiveDateTime::new(date, time).assume_offset(offset).checked_add(leap)
}

fn iso_date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let year = parts.next().filter(|year| year.len() == 4 && is_digits(year))?.parse().ok()?;
    let month = Month::try_from(two_digits(parts.next()?)?).ok()?;
    Date::from_calendar_date(year, month, two_digits(parts.next()?)?).ok()
}

fn iso_offset(text: &str) -> Option<UtcOffset> {
    if matches!(text, "" | "Z" | "z" | "UTC" | "GMT") {
        return Some(UtcOffset::UTC);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = text.get(1..)?.replace(':', "");
    let (hours, minutes) = match digits.len() {
        2 => (two_digits(&digits)?, 0),
        4 => (two_digits(digits.get(..2)?)?, two_digits(digits.get(2..)?)?),
        _ => return None,
    };
    let (hours, minutes) = (i8::try_from(hours).ok()?, i8::try_from(minutes).ok()?);
    UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()
}

fn two_digits(text: &str) -> Option<u8> {
    (text.len() == 2 && is_digits(text)).then(|| text.parse().ok()).flatten()
}

fn nanos(fraction: &str) -> Option<u32> {
    if !is_digits(fraction) {
        return None;
    }
    format!("{fraction:0<9}").get(..9)?.parse().ok()
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::rfc3339;

    #[test]
    fn formats_of_other_systems() {
        for (value, expected) in [
            (json!("2024-01-31T10:30:00.123Z"), "2024-01-31T10:30:00.123Z"),
            (json!("2024-01-31T10:30:00.1234567+02:00"), "2024-01-31T08:30:00.1234567Z"),
            (json!("2024-01-31 10:30:00.123456+00"), "2024-01-31T10:30:00.123456Z"),
            (json!("2024-01-31 10:30:00"), "2024-01-31T10:30:00Z"),
            (json!("2024-01-31 10:30:00 UTC"), "2024-01-31T10:30:00Z"),
            (json!("2024-01-31 10:30:00 +0200"), "2024-01-31T08:30:00Z"),
            (json!("2024-01-31T10:30"), "2024-01-31T10:30:00Z"),
            (json!("2024-01-31"), "2024-01-31T00:00:00Z"),
            (json!("2016-12-31T23:59:60Z"), "2017-01-01T00:00:00Z"),
            (json!("1706697000"), "2024-01-31T10:30:00Z"),
            (json!("1706697000123"), "2024-01-31T10:30:00.123Z"),
            (json!(1_706_697_000), "2024-01-31T10:30:00Z"),
            (json!(1_706_697_000_123_i64), "2024-01-31T10:30:00.123Z"),
            (json!(1_706_697_000.5), "2024-01-31T10:30:00.5Z"),
            (json!("Wed, 31 Jan 2024 10:30:00 GMT"), "2024-01-31T10:30:00Z"),
            (json!("/Date(1706697000000)/"), "2024-01-31T10:30:00Z"),
            (json!("/Date(1706697000000+0200)/"), "2024-01-31T10:30:00Z"),
            (json!({"$date": "2024-01-31T10:30:00Z"}), "2024-01-31T10:30:00Z"),
            (json!({"$date": {"$numberLong": "1706697000000"}}), "2024-01-31T10:30:00Z"),
        ] {
            assert_eq!(rfc3339(&value).ok().flatten().as_deref(), Some(expected), "{value}");
        }
    }

    #[test]
    fn values_for_no_time() {
        for value in ["null", "\"\"", "0", "\"0000-00-00 00:00:00\"", "\"0001-01-01T00:00:00Z\"", "\" \""] {
            let value: Value = serde_json::from_str(value).unwrap();
            assert!(matches!(rfc3339(&value), Ok(None)), "{value}");
        }
    }

    #[test]
    fn other_values_are_refused() {
        for value in
            [json!("yesterday"), json!("2024-13-01"), json!("2024-01-01T25:00:00Z"), json!(true), json!([]), json!({})]
        {
            assert!(rfc3339(&value).is_err(), "{value}");
        }
        assert!(rfc3339(&json!(1e300)).is_err());
        assert!(rfc3339(&json!("2024-01-01T10:00:00+99")).is_err());
        assert!(rfc3339(&json!("1.2.3")).is_err());
    }
}
