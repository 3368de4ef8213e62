//! What every seat store does, sentence by sentence: the suite of the ports `SeatStore` and `Outbox`.
//!
//! An implementation brings a [`Fixture`] and runs `seat_store_suite!`; [`sequences`] holds it to the specification with
//! generated commands besides.
#![expect(clippy::missing_panics_doc, reason = "every sentence panics where it is not true")]

use boxoffice_command::store::{Outbox, StoreError};
use boxoffice_domain::Conflict;
use boxoffice_domain::command::ConflictReason;

pub use self::archiving::*;
pub use self::choosing::*;
pub use self::holds::*;
pub use self::idempotency::*;
pub use self::outbox::*;
pub use self::paying::*;
pub use self::redefining::*;
pub use self::reservations::*;
pub use self::shows::*;
pub use self::staff::*;
use self::stage::{Fixture, Stage, must};

pub mod stage;

mod archiving;
mod choosing;
mod holds;
mod idempotency;
mod outbox;
mod paying;
mod redefining;
mod reservations;
mod shows;
mod staff;

pub mod sequences;

mod generate;

mod asked;

mod equality;

/// Makes a test of every sentence of the suite. `$fixture` is an expression that awaits to a fresh [`Fixture`].
#[macro_export]
macro_rules! seat_store_suite {
    ($fixture:expr) => {
        $crate::seat_store_suite! { $fixture =>
            seats_are_held_all_or_none
            every_conflict_is_named_in_the_order_asked
            strangers_are_refused
            holding_again_gives_the_same_hold
            i6_a_hold_ends_at_its_deadline
            i6_a_lapsed_hold_makes_way_for_whoever_asks
            an_expired_hold_is_remembered_for_an_hour
            reserving_one_seat_splits_it_off
            reserving_again_gives_the_same_reservation
            releasing_the_last_seat_ends_the_hold
            cancelling_frees_seats_one_by_one_or_all
            nobody_claims_more_than_the_limit
            the_best_seats_are_in_the_middle_of_the_best_row_and_leave_none_single
            units_of_an_area_are_counted_off
            seats_and_areas_are_held_together_all_or_none
            too_few_seats_are_refused_with_how_many_there_are
            the_limit_counts_chosen_seats
            what_becomes_free_is_chosen_again
            i1_a_definition_does_not_free_what_somebody_has
            the_choice_follows_a_floor_plan_that_changes
            the_best_seats_are_on_one_side_of_an_aisle
            seats_are_neighbours_as_their_row_has_them
            where_it_is_required_only_neighbours_are_held
            rows_with_a_full_one_between_are_not_adjacent
            i1_seats_behind_an_aisle_are_taken_once
            a_single_seat_gap_is_refused_where_that_is_enforced
            a_single_seat_at_an_aisle_is_a_gap
            a_single_seat_that_was_given_back_can_always_be_held
            a_hold_is_extended_up_to_the_longest
            blocked_seats_are_counted_and_survive_a_restart
            i1_racing_buyers_are_given_different_seats
            a_hold_grows_until_its_own_deadline
            a_hold_grows_to_what_its_reservation_can_tell
            a_release_tells_what_is_left
            what_is_ones_own_is_told_in_conflicts
            a_hold_is_made_once_under_its_id
            staff_hold_where_buyers_may_not
            a_blocked_seat_that_staff_held_is_blocked_again
            a_seat_that_is_unblocked_meanwhile_is_free_afterwards
            staff_sell_at_the_counter
            staff_cancel_after_the_last_moment
            a_payment_that_fails_gives_its_seats_back
            a_payment_that_fails_takes_nothing_else
            a_late_payment_gets_its_seats_again
            a_late_payment_whose_seats_are_gone_is_refused_for_good
            a_late_payment_ends_a_lapsed_hold_that_is_in_the_way
            a_failed_payment_is_remembered_for_fifty_hours
            what_is_not_in_the_way_takes_effect_at_once
            a_plan_says_what_a_definition_would_do
            a_refused_seat_map_is_tried_again_when_a_seat_comes_back
            what_is_still_in_the_way_is_waited_for
            what_is_wanted_is_what_was_said_last
            a_change_is_judged_by_what_it_changes
            the_currency_never_changes
            seats_are_held_in_the_sales_window_only
            a_price_stands_from_the_hold_on
            a_definition_changes_where_no_claimed_seat_is_lost
            an_unchanged_definition_writes_nothing
            a_closed_sale_keeps_its_seats_and_may_reopen
            what_is_not_there_is_not_found
            every_worker_learns_of_a_new_definition
            a_repeated_command_gets_the_same_answer_and_writes_nothing
            every_kind_of_answer_is_kept
            a_key_stands_for_one_request
            refusals_are_evaluated_again
            a_key_is_of_one_user_and_one_seating_event
            what_was_answered_before_a_purge_is_no_answer_of_what_is_created_anew
            answers_survive_a_restart
            a_repetition_is_not_checked_again
            i1_one_key_from_many_tasks_has_one_effect
            i3_sequences_have_no_gap_and_ids_derive_from_the_command
            the_outbox_is_trimmed_to_the_watermark_which_never_goes_back
            i4_a_partition_is_pinned_and_known
            a_sweep_says_when_something_is_due_next
            a_lane_has_one_owner
            a_relay_that_dies_is_followed_when_its_term_is_over
            relays_have_their_fair_share_and_hand_over_what_is_above_it
            a_relay_that_leaves_leaves_all_to_those_who_stay
            what_waits_of_every_event_is_known
            signals_wake_the_relay_once_and_announce_the_watermark
            a_full_outbox_refuses_holds_and_nothing_else
            a_purge_is_a_domain_event_and_leaves_nothing_to_find
            a_purged_event_that_is_created_anew_goes_on
            inventories_show_every_event
            what_is_over_is_found_when_nothing_is_left_to_do
            one_that_is_archived_is_listed_as_before_and_sells_nothing
            an_equal_definition_leaves_one_that_is_archived_as_it_is
            nothing_is_archived_that_moved_on
            a_restart_forgets_nothing_that_was_acknowledged
            i1_racing_buyers_win_each_seat_once
        }
    };
    ($fixture:expr => $($sentence:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $sentence() {
                $crate::conformance::seat_store::$sentence(&$fixture.await).await;
            }
        )*
    };
}

fn conflicts<const N: usize>(of: [(&str, &str); N]) -> Vec<Conflict> {
    let conflict = |(seat, word): (&str, &str)| {
        let reason = ConflictReason::ALL.into_iter().find(|reason| reason.as_str() == word);
        Conflict::new(seat, reason.unwrap_or_else(|| panic!("{word} is no reason")))
    };
    of.map(conflict).into()
}

/// The same, of what is the caller's own.
fn own_conflicts<const N: usize>(of: [(&str, &str); N]) -> Vec<Conflict> {
    conflicts(of).into_iter().map(|conflict| Conflict { mine: true, ..conflict }).collect()
}

/// Publishes everything that waits.
async fn publish<F: Fixture>(stage: &Stage<'_, F>) {
    let last = stage.waiting().await.last().and_then(|envelope| envelope.metadata.sequence).unwrap_or(0);
    assert_eq!(must(stage.store().published(&stage.event, last, last).await), 0);
}

/// Sweeps every SeatingEvent; how many holds ended.
///
/// # Errors
/// A store that does not say what there is.
pub async fn expire_due(store: &impl Outbox) -> Result<usize, StoreError> {
    let all: Vec<_> = store.pinned().await?.into_iter().map(|(event, _)| event).collect();
    Ok(store.sweep(&all).await.ended)
}
