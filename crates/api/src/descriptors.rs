//! The limit of open files, which bounds how many connections there can be.

/// How many of the open files are kept for the database and for everything else that is no connection: a quarter, within
/// these bounds.
const KEPT_MIN: u64 = 64;
const KEPT_MAX: u64 = 1024;

/// Raises the limit of open files to what the system allows this process. What fails is logged: the server runs with less.
pub(crate) fn raise() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        if current == maximum {
            return;
        }
        if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
            tracing::warn!(%error, "cannot raise the open file limit");
        }
    }
}

/// How many connections can be open: as many as are configured, or as the limit of open files allows.
pub(crate) fn bound_connections(configured: u32) -> u32 {
    let Some(files) = limit() else { return configured };
    let bound = within(files, configured);
    if bound < configured {
        tracing::info!(configured, bound, open_files = files, "limits.connections is reduced by the open file limit");
    }
    bound
}

fn within(files: u64, configured: u32) -> u32 {
    let allowed = files.saturating_sub((files / 4).clamp(KEPT_MIN, KEPT_MAX)).max(1);
    configured.min(u32::try_from(allowed).unwrap_or(u32::MAX))
}

#[cfg(unix)]
fn limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
fn limit() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn open_files_bound_connections() {
        assert_eq!(within(1_048_576, 20_000), 20_000);
        assert_eq!(within(1024, 20_000), 768);
        assert_eq!(within(1024, 300), 300);
        assert_eq!(within(128, 20_000), 64);
        assert_eq!(within(10, 20_000), 1);
    }
}
