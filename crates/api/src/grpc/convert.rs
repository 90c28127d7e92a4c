//! What messages are made of, from and to what the domain knows.

use denizen_domain::access::Permissions;
use denizen_domain::credentials::Strength;
use denizen_domain::error::{FieldError, RuleBroken};
use denizen_domain::time::Timestamp;
use denizen_domain::users::{Locale, Status, User};
use denizen_domain::value::{Object, VALUES_READ_MAX, Value};
use denizen_proto::v1;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct};

use crate::http::{etag, permissions};

/// The integers that a double holds exactly: 2⁵³ on either side.
const INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

/// A moment, as protobuf keeps it.
pub(super) fn moment(at: Timestamp) -> prost_types::Timestamp {
    let micros = at.as_micros().rem_euclid(1_000_000);
    let nanos = i32::try_from(micros * 1_000).expect("a fraction of a second fits");
    prost_types::Timestamp { seconds: at.as_seconds(), nanos }
}

/// Reads a moment within the years that can be written.
pub(super) fn read_moment(at: &prost_types::Timestamp) -> Result<Timestamp, RuleBroken> {
    let broken = || broken("invalid_value", "must be a time in the years 1 to 9999");
    let fraction = u32::try_from(at.nanos).ok().filter(|nanos| *nanos < 1_000_000_000).ok_or_else(broken)?;
    let micros = at.seconds.checked_mul(1_000_000).and_then(|micros| micros.checked_add(i64::from(fraction / 1_000)));
    let moment = micros.map(Timestamp::from_micros);
    // The years that cannot be written are held at their bounds.
    moment.filter(|moment| Some(moment.as_micros()) == micros).ok_or_else(broken)
}

/// A user.
pub(super) fn user(user: User) -> v1::User {
    let etag = etag::of_user(&user);
    v1::User {
        id: user.id.to_string(),
        email: user.email.into_string(),
        email_verified: user.email_verified,
        name: user.name.into_string(),
        role: user.role.into_string(),
        status: status(user.status).into(),
        created_at: Some(moment(user.created_at)),
        updated_at: Some(moment(user.updated_at)),
        last_sign_in_at: user.last_sign_in_at.map(moment),
        locale: user.locale.map(Locale::into_string),
        attributes: Some(object(user.attributes.into_object())),
        app_attributes: Some(object(user.app_attributes.into_object())),
        delete_after: user.deletion.map(|deletion| moment(deletion.after)),
        etag,
    }
}

fn status(status: Status) -> v1::UserStatus {
    match status {
        Status::Active => v1::UserStatus::Active,
        Status::Disabled => v1::UserStatus::Disabled,
        Status::Invited => v1::UserStatus::Invited,
    }
}

/// The status that a number stands for; `None` when nothing is said.
pub(super) fn read_status(number: i32) -> Result<Option<Status>, RuleBroken> {
    match v1::UserStatus::try_from(number) {
        Ok(v1::UserStatus::Unspecified) => Ok(None),
        Ok(v1::UserStatus::Active) => Ok(Some(Status::Active)),
        Ok(v1::UserStatus::Disabled) => Ok(Some(Status::Disabled)),
        Ok(v1::UserStatus::Invited) => Ok(Some(Status::Invited)),
        Err(_) => Err(broken("invalid_value", "must be active, disabled or invited")),
    }
}

/// A status that can be given; `None` when nothing is said.
pub(super) fn read_settable_status(number: i32) -> Result<Option<Status>, RuleBroken> {
    match read_status(number) {
        Ok(status @ (None | Some(Status::Active | Status::Disabled))) => Ok(status),
        Ok(Some(Status::Invited)) | Err(_) => Err(broken("invalid_value", "must be active or disabled")),
    }
}

/// The strength of a password.
pub(super) fn strength(strength: Strength) -> v1::PasswordStrength {
    match strength {
        Strength::Weak => v1::PasswordStrength::Weak,
        Strength::Fair => v1::PasswordStrength::Fair,
        Strength::Good => v1::PasswordStrength::Good,
        Strength::Strong => v1::PasswordStrength::Strong,
    }
}

/// The names of permissions.
pub(super) fn names(permissions: Permissions) -> Vec<String> {
    permissions::names(permissions).into_iter().map(str::to_owned).collect()
}

/// The versions that a tag accepts: any, when it is empty.
pub(super) fn expected(etag: &str) -> Result<Option<Vec<i64>>, FieldError> {
    if etag.is_empty() {
        return Ok(None);
    }
    let malformed = || FieldError::new("etag", "malformed", "must be the etag of the resource, or empty");
    etag::version_of(etag).map(|version| Some(vec![version])).ok_or_else(malformed)
}

/// The thing that an id names.
pub(super) fn id<T>(field: &str, raw: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, FieldError> {
    parse(raw).ok_or_else(|| FieldError::new(field, "invalid_id", "must be a UUID"))
}

/// A field that must be set.
pub(super) fn required(field: &str) -> FieldError {
    FieldError::new(field, "required", "is required")
}

/// What a text says, when it says anything: the default of a field without presence says nothing.
pub(super) fn said(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

pub(super) fn broken(code: &'static str, message: &str) -> RuleBroken {
    RuleBroken { code, message: message.to_owned() }
}

/// A JSON object.
pub(super) fn object(object: Object) -> Struct {
    Struct { fields: object.into_iter().map(|(name, value)| (name, of_value(value))).collect() }
}

fn of_value(value: Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(value),
        #[expect(clippy::cast_precision_loss, reason = "protobuf knows doubles only, as the contract says")]
        Value::Integer(value) => Kind::NumberValue(value as f64),
        Value::Float(value) => Kind::NumberValue(value),
        Value::String(value) => Kind::StringValue(value),
        Value::Array(items) => Kind::ListValue(ListValue { values: items.into_iter().map(of_value).collect() }),
        Value::Object(members) => Kind::StructValue(object(members)),
    };
    prost_types::Value { kind: Some(kind) }
}

/// Reads a JSON object; its decoder has bounded the depth.
pub(super) fn read_object(from: Struct) -> Result<Object, RuleBroken> {
    read_members(from, &mut { VALUES_READ_MAX })
}

/// Reads a JSON value. A whole number is one again.
pub(super) fn read_value(value: prost_types::Value) -> Result<Value, RuleBroken> {
    read_within(value, &mut { VALUES_READ_MAX })
}

fn read_members(from: Struct, left: &mut usize) -> Result<Object, RuleBroken> {
    from.fields.into_iter().map(|(name, value)| Ok((name, read_within(value, left)?))).collect()
}

fn read_within(value: prost_types::Value, left: &mut usize) -> Result<Value, RuleBroken> {
    *left = left.checked_sub(1).ok_or_else(|| broken("too_large", "must contain fewer values"))?;
    Ok(match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::Bool(value),
        Some(Kind::NumberValue(value)) if !value.is_finite() => {
            return Err(broken("invalid_value", "must contain only finite numbers"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "a whole number within the bound is held exactly")]
        Some(Kind::NumberValue(value)) if value.fract() == 0.0 && value.abs() <= INTEGER_MAX => {
            Value::Integer(value as i64)
        }
        Some(Kind::NumberValue(value)) => Value::Float(value),
        Some(Kind::StringValue(value)) => Value::String(value),
        Some(Kind::ListValue(list)) => {
            let items = list.values.into_iter().map(|item| read_within(item, left));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Some(Kind::StructValue(inner)) => Value::Object(read_members(inner, left)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_comes_back_as_it_went() {
        for raw in ["2026-11-22T17:30:18.000001Z", "1969-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"] {
            let at = Timestamp::parse(raw).unwrap();
            assert_eq!(read_moment(&moment(at)).unwrap(), at);
        }
        for (seconds, nanos) in [(i64::MAX, 0), (i64::MIN, 0), (0, -1), (0, 1_000_000_000), (253_402_300_800, 0)] {
            assert!(read_moment(&prost_types::Timestamp { seconds, nanos }).is_err(), "{seconds} {nanos}");
        }
    }

    #[test]
    fn json_comes_back_as_it_went() {
        let inner = Value::Array(vec![Value::Null, Value::Bool(true), Value::Integer(-3), Value::Float(0.5)]);
        let members = Object::from([
            ("plan".to_owned(), Value::String("pro".to_owned())),
            ("inner".to_owned(), Value::Object(Object::from([("list".to_owned(), inner)]))),
        ]);
        assert_eq!(read_object(object(members.clone())).unwrap(), members);
        let infinite = prost_types::Value { kind: Some(Kind::NumberValue(f64::INFINITY)) };
        assert!(read_value(infinite).is_err());
    }
}
