//! What can be chosen, what fits which need, and which combinations are offered.

use std::fmt;

use clap::ValueEnum;

/// A web framework.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Framework {
    /// REST; extractors and tower middleware
    Axum,
    /// REST; state per worker thread, many extensions
    Actix,
    /// REST; attributes and request guards, the least code
    Rocket,
    /// REST; filters as values
    Warp,
    /// gRPC; calls between services, streams
    Tonic,
}

/// A database library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Library {
    /// SQL by hand, asynchronous drivers of its own
    Sqlx,
    /// Queries checked by the Rust compiler, without a database
    Diesel,
    /// Entities and relations; queries built at run time
    SeaOrm,
    /// PostgreSQL only: SQL by hand, pipelining, COPY, notifications
    TokioPostgres,
}

/// A database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Postgres,
    Sqlite,
}

/// What a service is built from. Exists only if it is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) framework: Framework,
    pub(crate) library: Library,
    pub(crate) backend: Backend,
}

/// Which choice fits which need; part of `denizen new --help`.
pub(crate) const GUIDE: &str = "\
Which framework:
  axum            The default choice: extractors, tower middleware, gRPC on the same port later.
  actix           State per worker thread, which need not be Send; many ready-made extensions.
  rocket          The least code per endpoint: attributes, request guards, catchers.
  warp            Small services composed of filters; routes are values that can be reused and tested one by one.
  tonic           Services that call each other: a typed contract (proto), streams, deadlines.

Which database library:
  sqlx            You write SQL and want it to stay visible. The default choice.
  diesel          You want queries that the compiler checks, and types derived from the schema.
  sea-orm         You want entities, relations and queries that are built at run time, as in other ORMs.
  tokio-postgres  You need PostgreSQL itself: pipelining, COPY, LISTEN/NOTIFY. PostgreSQL only.

Which database:
  --postgres      Several instances of the service, or more than one writer at a time.
  --sqlite        One instance, nothing to operate: the database is a file. Not with tokio-postgres.";

impl Framework {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Axum => "axum",
            Self::Actix => "actix",
            Self::Rocket => "rocket",
            Self::Warp => "warp",
            Self::Tonic => "tonic",
        }
    }

    /// The name as its authors write it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Axum => "Axum",
            Self::Actix => "Actix Web",
            Self::Rocket => "Rocket",
            Self::Warp => "warp",
            Self::Tonic => "tonic",
        }
    }
}

impl Library {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlx => "sqlx",
            Self::Diesel => "diesel",
            Self::SeaOrm => "sea-orm",
            Self::TokioPostgres => "tokio-postgres",
        }
    }

    /// The name as its authors write it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Sqlx => "SQLx",
            Self::Diesel => "Diesel",
            Self::SeaOrm => "SeaORM",
            Self::TokioPostgres => "tokio-postgres",
        }
    }
}

impl Backend {
    pub(crate) const ALL: [Self; 2] = [Self::Postgres, Self::Sqlite];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
        }
    }

    /// The name as its authors write it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
        }
    }
}

impl Choice {
    /// Checks that the combination is offered.
    ///
    /// # Errors
    /// Why it is not, and what to use instead.
    pub(crate) fn new(framework: Framework, library: Library, backend: Backend) -> Result<Self, &'static str> {
        if library == Library::TokioPostgres && backend == Backend::Sqlite {
            return Err("--database tokio-postgres is not offered with --sqlite: it is a driver for PostgreSQL only; \
                        use --postgres, or --database sqlx, diesel or sea-orm");
        }
        Ok(Self { framework, library, backend })
    }

    /// Every combination that is offered.
    #[cfg(test)]
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let backends = Backend::ALL.into_iter();
        backends.flat_map(|backend| {
            let libraries = Library::value_variants().iter().copied();
            libraries.flat_map(move |library| {
                let frameworks = Framework::value_variants().iter().copied();
                frameworks.filter_map(move |framework| Self::new(framework, library, backend).ok())
            })
        })
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (framework, library) = (self.framework.title(), self.library.title());
        write!(f, "{framework}, {library} and {}", self.backend.title())
    }
}
