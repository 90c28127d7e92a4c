//! The types in the interface of this crate, from the crates that define them.

pub use denizen_domain::access::{Credential, Permission, Permissions, Principal, Subject};
pub use denizen_domain::error::{Conflict, Error, FieldError, Resource, Unauthenticated};
pub use denizen_domain::id::{ApiKeyId, ServiceAccountId, SessionId, UserId};
pub use denizen_domain::ports::{Clock, Random};
pub use denizen_domain::roles::RoleName;
pub use denizen_domain::time::Timestamp;
pub use denizen_domain::users::{
    Attributes, AttributesChange, DisplayName, EmailAddress, Locale, Status, User, UserChange,
};
pub use denizen_domain::value::{Object, Value};
pub use secrecy::{ExposeSecret, SecretString};
