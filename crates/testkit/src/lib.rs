//! What tests share: a clock that stands still, chance that repeats, made-up users, and the conformance
//! suite of the store, which every database passes as it is.
//!
//! A database crate's whole `tests/conformance.rs` is a function that makes a [`TestDatabase`] and [`suite!`].

pub mod build;
pub mod cases;
mod clock;
mod database;
#[cfg(feature = "postgres")]
pub mod postgres;
mod random;

pub use clock::FakeClock;
pub use database::{Fixture, TestDatabase, run, run_unmigrated};
pub use random::SeededRandom;

/// The conformance suite of the store: a test for each case, each on a database of its own.
///
/// Takes the name of an `async fn() -> impl TestDatabase` that makes a new, empty database.
#[macro_export]
macro_rules! suite {
    ($open:ident) => {
        $crate::suite! { @rooms $open, run_unmigrated:
            migrations { eight_at_once_migrate_once, a_second_time_changes_nothing }
        }
        $crate::suite! { @rooms $open, run:
            transactions {
                nothing_is_kept_without_commit,
                a_write_reads_what_it_wrote,
                a_snapshot_stays_as_it_was,
                a_closed_store_is_unavailable,
            }
            users {
                who_is_absent_is_none,
                a_user_comes_back_as_it_was,
                the_largest_user_comes_back_as_it_was,
                attributes_come_back_to_the_last_bit,
                an_address_is_taken_once,
                sixty_four_inserts_of_one_address_have_one_winner,
                an_update_replaces,
                an_update_to_a_taken_address_changes_nothing,
                a_locked_user_is_changed_by_one_at_a_time,
                a_delete_takes_everything_along,
                a_sign_in_is_no_change,
                only_other_active_admins_count,
                two_admins_cannot_remove_each_other,
            }
            lists {
                the_newest_come_first,
                every_walk_finds_the_same_users,
                filters_narrow_alone_and_together,
                a_prefix_is_taken_literally,
                pages_have_their_bounds,
            }
            passwords { a_password_is_set_and_replaced }
            sessions {
                the_state_follows_the_user,
                only_live_sessions_end,
                the_kept_session_lives,
                a_generation_is_left_once,
                only_live_sessions_rotate,
                a_session_needs_its_user,
            }
            signing_keys { the_newest_key_comes_first, a_sequence_number_is_taken_once }
            idempotency {
                a_claim_holds_until_it_is_over,
                an_answer_is_given_again,
                another_request_is_refused,
                a_released_key_is_free,
                fifty_claims_have_one_winner,
                a_purge_is_bounded,
            }
        }
    };
    (@rooms $open:ident, $run:ident: $($room:ident { $($case:ident),* $(,)? })*) => {
        $(mod $room {
            $(#[test]
            fn $case() {
                $crate::$run(super::$open, $crate::cases::$room::$case);
            })*
        })*
    };
}
