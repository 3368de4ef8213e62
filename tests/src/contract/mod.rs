//! The contract, checked from outside: what every client of the HTTP API may rely on, whatever stands behind it.
//!
//! The program `boxoffice-contract` runs it against a cluster and against `boxoffice local`. [`api`] sends requests,
//! `answer` says what is wrong with what came back, [`Stage`] finds seats to play with, and `report` tells how each
//! check went. The checks follow a buyer: `holding`, `reserving`, `several`, `choosing`, `extending`, `expiry`,
//! `repeating`, `refusals`, and then whoever looks on: `reading`, `seat_map`, `chart`, `following`, `viewed`,
//! `statistics`, `orders`, `documents`. Where the [`admin`] APIs are reached, `declaring`, `changing`, `cart`, `staff`
//! and `figures` look at what operators and the box office do, and what they are told. [`memory`] is about what must
//! survive a restart. None of them knows a store or a log: those have suites of their own in
//! [`conformance`](crate::conformance).

pub mod api;

mod answer;

mod stage;

mod report;

mod holding;

mod reserving;

mod several;

mod choosing;

mod extending;

mod expiry;

mod repeating;

mod refusals;

mod reading;

mod seat_map;

mod chart;

mod following;

mod viewed;

mod statistics;

mod orders;

mod documents;

pub mod admin;

mod declaring;

mod changing;

mod cart;

mod staff;

mod figures;

pub mod memory;

pub use report::Report;
pub use stage::Stage;

/// Takes the outcome of each check, one after the other: they share the seats.
macro_rules! run {
    ($report:ident, $on:expr, $($module:ident: $($check:ident),+;)+) => {
        $($($report.take(stringify!($check), Box::pin($module::$check($on)).await);)+)+
    };
}

/// Runs every check.
pub async fn check(stage: &Stage) -> Report {
    let mut report = Report::default();
    run! {
        report, stage,
        holding: a_seat_is_held, a_correlation_id_is_made_where_none_is_given, holding_again_gives_the_same_hold,
            a_taken_seat_is_refused, a_seat_is_released, others_may_not_touch_a_hold;
        reserving: a_held_seat_is_reserved, reserving_again_gives_the_same_answer, a_reservation_is_cancelled,
            a_reserved_seat_is_released, a_seat_that_nobody_holds_is_not_reserved;
        several: seats_are_held_all_or_none, every_seat_in_the_way_is_named, a_hold_is_shown_and_given_back,
            a_hold_gets_more_seats, a_hold_is_reserved_whole, a_seat_leaves_its_hold,
            a_seat_of_a_hold_is_reserved_alone;
        choosing: the_best_seats_are_adjacent, the_best_seats_are_of_a_price_category,
            units_of_an_area_are_held_beside_seats, too_few_seats_are_refused_with_how_many_there_are,
            what_cannot_be_chosen_from_is_named;
        extending: a_hold_is_extended_up_to_the_longest;
        expiry: a_hold_ends_at_its_deadline;
        repeating: a_request_that_is_sent_again_has_no_second_effect,
            a_hold_of_several_is_answered_again_as_it_was, a_hold_under_a_key_is_made_once, a_key_stands_for_one_request_of_one_user,
            a_refusal_is_evaluated_again, a_key_that_is_none_is_refused;
        refusals: a_user_must_be_named, malformed_ids_and_bodies_are_refused, what_is_not_there_is_named,
            wrong_methods_and_bodies_are_refused, a_body_that_is_too_large_is_refused;
        reading: events_are_listed, an_event_is_shown, counts_follow, a_seat_shows_its_holder_what_is_theirs,
            nobody_else_learns_who;
        seat_map: a_map_shows_every_seat, a_map_has_a_tag_that_changes_with_it, a_map_is_sent_compressed,
            a_map_of_one_section;
        chart: a_chart_says_what_places_mean, a_chart_is_kept_under_its_hash_and_no_other, a_packed_map_says_the_same,
            the_form_is_sent_that_is_liked_best;
        following: what_was_done_is_shown_to_who_asks_after_it, what_changed_leads_from_one_map_to_the_next,
            what_is_too_old_or_of_another_epoch_is_gone, sequences_that_are_none_are_refused_by_name,
            a_stream_tells_what_happens, an_id_that_is_none_is_refused_and_one_of_another_past_begins_anew;
        viewed: every_answer_says_how_old_it_may_be,
            what_all_are_shown_is_kept_for_a_second_and_what_one_is_shown_is_not,
            parameters_that_nobody_knows_are_refused_by_name, a_page_is_told_what_it_has_to_know;
        statistics: statistics_follow;
        orders: a_user_sees_what_the_user_holds, a_user_sees_what_the_user_reserved, a_reservation_is_waited_for,
            a_trace_is_a_tree_of_what_names_the_user, what_is_ones_own_is_told_to_nobody_else,
            what_is_asked_wrongly_of_ones_own_is_named;
        documents: each_worker_describes_its_routes, a_document_is_browsed_without_help_from_elsewhere,
            a_problem_is_explained_where_its_type_says;
    }
    report
}

/// Runs the checks that need a SeatingEvent which enforces that no single seat is left.
pub async fn check_gaps(strict: &api::Api) -> Report {
    let mut report = Report::default();
    run! { report, strict, choosing: single_seat_gaps_are_refused; }
    report
}

/// Runs those checks of the admin API that need no query worker: what definitions become. They make SeatingEvents of their
/// own and purge them.
pub async fn check_declaring(admin: &admin::Admin) -> Report {
    let mut report = Report::default();
    run! {
        report, admin,
        declaring: a_definition_is_provisioned_once, a_list_tells_what_changed, sales_open_pause_and_close,
            a_refused_seat_map_is_tried_again, the_currency_never_changes, deleting_ends_the_sales,
            what_is_not_there_is_named_so, strangers_are_turned_away;
    }
    report
}

/// Runs the checks of the admin API: what operators declare, and what the box office does. They make SeatingEvents of their
/// own and purge them.
pub async fn check_admin(admin: &admin::Admin) -> Report {
    let mut report = check_declaring(admin).await;
    run! {
        report, admin,
        declaring: titles_and_ranges_are_taken_as_written, only_neighbours_are_together;
        changing: a_block_that_was_there_before_is_no_new_one, what_cannot_be_sold_by_is_refused_with_its_field,
            seats_are_sold_at_the_door, a_section_is_called_by_its_title;
        cart: a_cart_takes_seats_units_and_the_best, a_claim_keeps_its_price,
            a_hold_lasts_no_longer_than_the_longest;
        staff: staff_hold_for_somebody_and_take_back, staff_hold_outside_window_and_limit_and_once_under_a_key,
            a_blocked_seat_is_blocked_again_when_it_is_not_sold, staff_sell_at_the_counter,
            buyers_cancel_until_the_last_moment_and_staff_after_it;
        figures: revenue_is_told_to_operators_alone, sales_are_told_by_minute, orders_and_payments_are_listed,
            operators_trace_whatever_happened, operators_are_told_what_they_asked_wrongly;
        following: a_stream_ends_with_its_show;
    }
    report
}

/// Makes reservations, and says what must be so after a restart.
///
/// # Errors
/// A reservation that could not be made.
pub async fn remember(stage: &Stage) -> anyhow::Result<memory::Memory> {
    memory::make(stage).await
}

/// Checks that all of what was remembered is still so.
pub async fn recall(recalled: &memory::Recalled) -> Report {
    let mut report = Report::default();
    run! {
        report, recalled,
        memory: reserving_again_gives_the_reservation_of_before, seats_are_still_reserved,
            the_sequence_went_on, strangers_are_refused;
    }
    report
}
