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
                a_beginning_that_is_cut_off_leaves_nothing,
                changes_under_an_exclusive_lock_follow_each_other,
                a_change_waits_for_those_who_share_its_lock,
                crossed_locks_wait_and_never_in_a_circle,
            }
            users {
                who_is_absent_is_none,
                a_user_comes_back_as_it_was,
                the_largest_user_comes_back_as_it_was,
                attributes_come_back_to_the_last_bit,
                due_deletions_are_taken_in_order_by_one,
                an_address_is_taken_once,
                many_users_are_added_at_once,
                many_users_are_added_once_by_several,
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
                searches_find_every_match_among_many_users,
                a_search_by_one_letter_follows_every_change,
                totals_are_counted_up_to_a_bound,
                pages_have_their_bounds,
            }
            one_time {
                a_token_is_taken_once_and_for_its_purpose,
                a_token_ends_to_the_microsecond,
                a_new_token_takes_the_place_of_the_one_before,
                of_fifty_who_take_one_gets_it,
                what_is_rolled_back_is_not_taken,
                tokens_go_with_their_user_and_by_their_purpose,
                an_address_change_goes_with_the_session_that_asked_for_it,
                a_purge_is_bounded,
            }
            setup {
                a_link_is_taken_once_before_it_expires,
                a_new_link_replaces_the_previous_one,
                a_recent_link_stays_when_asked_for,
                of_fifty_who_take_a_link_one_does,
            }
            challenges {
                a_challenge_comes_back_as_it_was,
                tries_are_counted_down,
                a_challenge_that_is_over_cannot_be_tried,
                of_fifty_tries_no_more_are_made_than_there_are,
                of_fifty_who_finish_one_does,
                challenges_go_with_their_user,
                a_purge_is_bounded,
            }
            factors {
                a_factor_counts_once_it_is_confirmed,
                only_an_unconfirmed_factor_is_replaced,
                a_step_is_used_once_and_none_before_it,
                a_recovery_code_is_used_once,
                factors_go_with_their_user,
                a_session_owes_what_its_user_has_or_their_role_demands,
                the_last_proof_of_each_kind_is_kept,
                a_language_is_kept_and_forgotten,
            }
            identities {
                sessions_of_a_provider_are_those_that_can_be_ended,
                tokens_come_back_as_they_were_and_are_replaced,
                tokens_go_with_their_identity,
                of_fifty_who_lease_tokens_one_does,
                tokens_are_renewed_and_removed_by_revision,
                tokens_of_a_provider_are_purged_in_batches,
                a_draft_is_taken_once_and_purged_when_it_expires,
            }
            transfer {
                factors_of_many_users_are_added_and_read,
                passwords_of_many_users_are_read,
                passkeys_and_identities_of_many_users_are_added_and_read,
                api_keys_of_many_users_are_added_and_read,
            }
            passkeys {
                a_passkey_comes_back_as_it_was,
                a_credential_is_registered_once,
                a_counter_only_increases,
                relying_parties_of_passkeys_are_counted,
                passkeys_are_changed_by_their_user,
                a_passkey_counts_as_second_factor,
                a_security_key_counts_as_second_factor,
                a_rotation_sees_a_new_passkey,
                passkeys_go_with_their_user,
                of_fifty_who_finish_a_flow_one_does,
                flows_are_purged_when_they_expire,
            }
            passwords { a_password_is_set_and_replaced, many_passwords_are_added_at_once }
            sessions {
                the_state_follows_the_user,
                only_live_sessions_end,
                the_oldest_sessions_end_beyond_the_limit,
                an_opened_session_ends_the_oldest,
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
            openings {
                unknown_user_is_refused,
                deleted_user_is_refused,
                only_active_users_open_sessions,
                another_password_by_now_is_refused,
                second_factor_that_is_owed_is_named,
                wrong_password_does_not_name_the_second_factor,
                unconfirmed_factor_is_not_owed,
                opening_changes_everything_at_once,
                password_that_is_replaced_opens_one_session,
                opening_waits_for_a_change_of_its_user,
            }
            rotations {
                session_that_is_over_is_found_and_not_rotated,
                generation_that_is_over_or_to_come_is_not_rotated,
                unknown_session_is_not_found,
                rotation_shows_what_its_user_has_become,
                of_fifty_rotations_of_one_generation_one_is_made,
                rotation_waits_for_the_end_of_its_session,
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
                amounts_are_taken_while_enough_is_left,
                a_session_that_opens_forgives,
                a_purge_is_bounded,
            }
            clock_set_back {
                block_is_shortened_to_what_its_failures_are_worth,
                every_block_of_a_guess_is_shortened_at_once,
                window_begins_again,
                mail_that_is_due_too_late_becomes_due,
                deliveries_that_are_due_too_late_become_due,
            }
            idempotency {
                the_first_answer_stands_until_its_time_is_over,
                an_answer_is_committed_with_the_work,
                of_fifty_answers_one_is_stored,
                a_purge_is_bounded,
            }
            events {
                what_is_recorded_is_read_as_it_was,
                what_is_rolled_back_never_happened,
                many_are_recorded_at_once,
                a_reader_meets_each_event_once_and_in_order,
                writers_on_two_stores_share_one_log,
                events_of_a_store_that_stops_after_the_commit_are_not_lost,
                a_filter_finds_what_passes_it,
                what_is_old_is_removed_from_the_beginning,
                the_order_is_that_of_the_changes,
                whoever_waits_is_woken_by_a_commit,
            }
            webhooks {
                a_webhook_comes_back_as_it_was,
                every_walk_finds_the_same_webhooks,
                the_log_is_fanned_out_by_one_at_a_time,
                of_a_subject_one_is_due,
                a_delivery_is_taken_by_one_and_found_again,
                an_attempt_comes_back_as_it_was,
                every_walk_finds_the_same_deliveries,
                what_was_parked_is_put_back_in_order,
                one_is_put_back_whatever_has_become_of_it,
                what_is_put_off_while_it_is_made_is_given_up_later,
                what_is_past_its_time_is_parked,
                a_webhook_that_is_paused_or_disabled_is_not_due,
                what_is_long_over_is_removed,
                the_deliveries_of_one_webhook_are_removed_a_few_at_a_time,
                whoever_waits_for_the_cursor_sees_what_its_holder_did,
                fanning_out_and_settling_never_strand_a_subject,
            }
            mail {
                a_mail_comes_back_as_it_was,
                every_subject_comes_back,
                what_is_due_longest_comes_first,
                a_taken_mail_is_found_again,
                a_mail_is_taken_by_one,
                a_mail_is_put_back_by_whoever_has_it,
                a_mail_is_removed_once,
                only_a_commit_wakes,
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
