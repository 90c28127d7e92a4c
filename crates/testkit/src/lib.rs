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
                a_rotation_finds_the_session_and_its_user,
                a_session_never_outlives_its_end,
                only_live_sessions_are_listed,
                every_walk_finds_the_same_sessions,
                a_use_moves_only_forward,
                the_longest_past_are_removed_first,
                an_ended_session_stays_until_its_idle_end,
            }
            roles {
                the_built_in_roles_are_there,
                a_role_comes_back_as_it_was,
                a_name_is_taken_once,
                sixty_four_inserts_of_one_name_have_one_winner,
                an_update_replaces,
                a_deleted_role_is_gone,
                every_walk_finds_the_same_roles,
                whoever_has_a_role_is_found,
                a_locked_role_is_changed_by_one_at_a_time,
                many_share_a_role,
                a_shared_role_is_not_deleted_meanwhile,
                a_role_is_given_or_deleted,
            }
            service_accounts {
                a_service_account_comes_back_as_it_was,
                an_update_replaces,
                a_locked_service_account_is_changed_by_one_at_a_time,
                a_delete_takes_its_keys_along,
                every_walk_finds_the_same_service_accounts,
            }
            api_keys {
                a_key_comes_back_as_it_was,
                a_key_needs_its_owner,
                the_state_follows_the_user,
                the_state_follows_the_service_account,
                a_secret_is_replaced_once,
                the_secret_before_is_kept,
                a_deleted_user_takes_its_keys_along,
                a_key_is_removed_once,
                a_users_keys_go_together,
                every_walk_finds_the_same_keys,
                a_use_moves_only_forward,
            }
            signing_keys {
                the_newest_key_comes_first,
                a_sequence_number_is_taken_once,
                every_algorithm_comes_back,
                a_key_is_withdrawn_once,
                a_key_is_removed_once,
            }
            root_keys {
                the_first_root_is_kept_once,
                a_root_is_kept_under_several_master_keys,
                the_last_root_is_never_forgotten,
                two_that_keep_another_one_keep_one,
            }
            budgets {
                the_first_failures_are_free_and_the_rest_wait_longer_and_longer,
                tries_of_one_moment_come_in_any_order,
                what_is_forgiven_can_be_spent_again,
                all_are_spent_or_none,
                a_hundred_tries_at_once_are_as_many_as_are_free,
                a_window_is_used_up_and_begins_anew,
                a_session_that_opens_forgives,
                a_purge_is_bounded,
            }
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
