//! The caller, the credential of the caller, and the list of permissions.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::id::{ApiKeyId, ServiceAccountId, SessionId, UserId};
use crate::roles::RoleName;
use crate::time::Timestamp;
use crate::trace::TraceParent;
use crate::users::Locale;

macro_rules! permissions {
    ($($(#[doc = $doc:literal])+ $name:ident = $scope:literal;)+) => {
        /// A permission. The text form is the OAuth scope.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Permission {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Permission {
            /// All permissions.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The scope that stands for it in a token.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $scope,)+
                }
            }

            /// A human-readable description.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_start(),)+
                }
            }
        }
    };
}

permissions! {
    /// Read users.
    UsersRead = "users:read";
    /// Create, update and delete users, including role and status.
    UsersWrite = "users:write";
    /// Read the sessions of all users.
    SessionsRead = "sessions:read";
    /// End the sessions of all users.
    SessionsWrite = "sessions:write";
    /// Read roles and their permissions.
    RolesRead = "roles:read";
    /// Create, update and delete roles.
    RolesWrite = "roles:write";
    /// Read service accounts and their API keys.
    ServiceAccountsRead = "service_accounts:read";
    /// Create, update and delete service accounts and their API keys.
    ServiceAccountsWrite = "service_accounts:write";
    /// Read the API keys of all users.
    ApiKeysRead = "api_keys:read";
    /// Delete the API keys of all users.
    ApiKeysWrite = "api_keys:write";
    /// Read the signing keys of access tokens.
    SigningKeysRead = "signing_keys:read";
    /// Rotate and withdraw the signing keys of access tokens.
    SigningKeysWrite = "signing_keys:write";
    /// Introspect tokens. Service accounts can do this without the permission.
    TokensIntrospect = "tokens:introspect";
    /// Read and stream all events.
    EventsRead = "events:read";
    /// Read, export and verify the audit log.
    AuditRead = "audit:read";
    /// Read webhooks and their deliveries.
    WebhooksRead = "webhooks:read";
    /// Create, update and delete webhooks, and retry deliveries.
    WebhooksWrite = "webhooks:write";
    /// Read outside providers.
    ProvidersRead = "providers:read";
    /// Create, update, delete and test outside providers. Changes also require all other permissions.
    ProvidersWrite = "providers:write";
    /// Obtain access tokens of outside providers for users whose permissions the caller holds.
    IdentitiesTokens = "identities:tokens";
}

impl Permission {
    /// Reads a scope.
    #[must_use]
    pub fn parse(scope: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|permission| permission.as_str() == scope)
    }
}

/// A set of permissions, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u64);

impl Permissions {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self::of(Permission::ALL);

    /// Exactly these.
    #[must_use]
    pub const fn of(list: &[Permission]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < list.len() {
            bits |= 1 << list[at] as u8;
            at += 1;
        }
        Self(bits)
    }

    /// Reads a space-separated list of scopes; the error is the first one that is not in the catalogue.
    pub fn parse(scopes: &str) -> Result<Self, &str> {
        let mut set = Self::NONE;
        for scope in scopes.split(' ').filter(|scope| !scope.is_empty()) {
            set = set.with(Permission::parse(scope).ok_or(scope)?);
        }
        Ok(set)
    }

    /// Takes over what a store kept. A scope that another release knew and this one does not allows nothing.
    #[must_use]
    pub fn from_stored(scopes: &str) -> Self {
        scopes.split(' ').filter_map(Permission::parse).fold(Self::NONE, Self::with)
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, permission: Permission) -> Self {
        Self(self.0 | 1 << permission as u8)
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether any of them changes what belongs to others.
    #[must_use]
    pub fn has_write(self) -> bool {
        Permission::ALL.iter().any(|permission| self.contains(*permission) && permission.as_str().ends_with(":write"))
    }

    /// Whether the permission is in the set.
    #[must_use]
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u8) != 0
    }

    /// Whether the whole other set is in this one.
    #[must_use]
    pub const fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The members in catalogue order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |&permission| self.contains(permission))
    }
}

impl fmt::Display for Permissions {
    /// The space-separated form of the claim `scope` (RFC 8693 §4.2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, permission) in self.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            f.write_str(permission.as_str())?;
        }
        Ok(())
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Nobody who is known.
    Anonymous,
    /// Somebody with good credentials.
    Known(Principal),
    /// Somebody with the machine in their hands: the command line. May do everything.
    Operator,
    /// The server itself, beside the requests. May do everything.
    System,
}

/// Somebody with good credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Who.
    pub subject: Subject,
    /// By what.
    pub credential: Credential,
    /// The role as it is now, not as it was when the credential was made.
    pub role: RoleName,
    /// What the role may do now, as far as the credential carries it.
    pub permissions: Permissions,
    /// When the credential stops working by itself, if it says so.
    pub expires_at: Option<Timestamp>,
    /// The digest of the secret that an API key was presented with.
    pub key_digest: Option<[u8; 32]>,
}

impl Principal {
    /// The user, when they signed in themselves rather than left a key with a program.
    #[must_use]
    pub fn signed_in(&self) -> Option<(UserId, SessionId)> {
        match (self.subject, self.credential) {
            (Subject::User(user), Credential::Session(session)) => Some((user, session)),
            _ => None,
        }
    }
}

/// An account that can hold credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A person.
    User(UserId),
    /// A program.
    ServiceAccount(ServiceAccountId),
}

impl fmt::Display for Subject {
    /// The claim `sub`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::ServiceAccount(id) => id.fmt(f),
        }
    }
}

/// By what somebody is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A session: its access token or its cookie.
    Session(SessionId),
    /// An API key itself.
    ApiKey(ApiKeyId),
    /// An access token that a service account got for this API key.
    ClientToken(ApiKeyId),
    /// A client certificate that names this service account.
    Certificate(ServiceAccountId),
}

impl fmt::Display for Credential {
    /// The bare id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => id.fmt(f),
            Self::ApiKey(id) | Self::ClientToken(id) => id.fmt(f),
            Self::Certificate(id) => id.fmt(f),
        }
    }
}

/// Where a request comes from, kept with the session it opens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address, as far as trusted proxies tell it.
    pub address: Option<IpAddr>,
    /// The `User-Agent` header, cut to 256 characters.
    pub user_agent: Option<String>,
    /// The language that `Accept-Language` prefers. Not kept.
    pub language: Option<Locale>,
    /// The span in which the request is handled, while traces are exported. Not kept with sessions.
    pub trace: Option<TraceParent>,
}

impl Origin {
    /// The client, as far as its address tells it apart. An IPv6 customer has a /64 of addresses: they are one. An IPv4
    /// address is the same in whichever form it is written.
    #[must_use]
    pub fn client(&self) -> Option<IpAddr> {
        self.address.map(|address| match address.to_canonical() {
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}
