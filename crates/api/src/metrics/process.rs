//! The process as the system sees it, by the names that Prometheus clients have agreed on.

use super::families::Families;

/// Reads what `/proc` says. Elsewhere than on Linux the values stay at zero.
#[cfg(target_os = "linux")]
pub(super) fn sample(families: &Families) {
    use procfs::WithCurrentSystemInfo;
    use procfs::process::{LimitValue, Process};

    use super::families::{gauge_of, set_float_total};

    #[expect(clippy::cast_precision_loss, reason = "ticks and seconds of a process are far below 2^53")]
    let seconds = |ticks: u64| ticks as f64 / procfs::ticks_per_second() as f64;
    let Ok(process) = Process::myself() else { return };
    if let Ok(stat) = process.stat() {
        set_float_total(&families.process_cpu, seconds(stat.utime + stat.stime));
        families.process_resident.set(gauge_of(stat.rss_bytes().get()));
        families.process_virtual.set(gauge_of(stat.vsize));
        families.process_threads.set(stat.num_threads);
        if let Ok(booted) = procfs::boot_time_secs() {
            #[expect(clippy::cast_precision_loss, reason = "a Unix time is far below 2^53")]
            families.process_started.set(booted as f64 + seconds(stat.starttime));
        }
    }
    if let Ok(open) = process.fd_count() {
        families.process_fds.set(gauge_of(open));
    }
    if let Ok(limits) = process.limits() {
        let max = match limits.max_open_files.soft_limit {
            LimitValue::Value(max) => gauge_of(max),
            LimitValue::Unlimited => i64::MAX,
        };
        families.process_fds_max.set(max);
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn sample(_: &Families) {}
