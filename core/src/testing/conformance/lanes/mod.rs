//! Port `Lanes`: at the door, turns, commits, and what happens when a turn does not end well.

mod commits;
mod documents;
mod door;
mod kit;
mod retries;
mod turns;

use commits::{
    a_commit_appends_its_messages_and_grants_the_outbox, a_commit_happens_once,
    a_commit_takes_no_more_than_the_turn_had, a_commit_takes_several_updates,
    a_commit_under_a_stale_revision_keeps_the_lease, a_commit_without_a_revision_is_never_stale,
    a_document_is_forgotten_after_its_time, a_document_is_kept_replaced_and_deleted,
    a_fenced_commit_writes_nothing, a_kept_lane_goes_on_under_a_new_token, a_revision_never_goes_back,
    an_expired_lease_commits_until_it_is_taken_back,
};
use documents::documents_of_a_bot_are_listed_in_pieces;
use door::{
    a_batch_keeps_its_order, a_full_lane_refuses_without_remembering, a_full_lane_still_knows_duplicates,
    an_update_is_a_duplicate_for_a_day_and_an_hour, concurrent_redeliveries_queue_once,
    kinds_of_ids_do_not_collide, only_the_first_of_a_lane_is_granted, ready_is_a_hint_that_is_not_lost,
    the_answer_tells_how_many_turns_wait,
};
pub use kit::{LIMITS, LaneKit};
pub(super) use kit::{answer, bot, ids, lane, message, put_document};
use retries::{
    a_failed_update_comes_again_when_it_is_due, a_failure_without_lease_is_fenced,
    a_lost_lease_counts_as_a_try, a_success_forgets_the_tries, released_turns_do_not_count_as_tries,
    the_last_try_ends_in_the_dead_letters,
};
use turns::{
    a_bot_with_few_chats_does_not_wait_for_one_with_many, a_lane_is_in_one_hand_only,
    a_purged_bot_is_forgotten, a_renewal_that_was_not_heard_of_counts,
    a_turn_holds_the_first_updates_in_order, claims_tell_when_to_come_back, long_runs_count_as_several_turns,
    sizes_add_up, tokens_are_never_repeated,
};

super::cases::cases!(($) lanes_tests, lanes, LaneKit, [
    a_batch_keeps_its_order,
    a_full_lane_refuses_without_remembering,
    a_full_lane_still_knows_duplicates,
    an_update_is_a_duplicate_for_a_day_and_an_hour,
    concurrent_redeliveries_queue_once,
    kinds_of_ids_do_not_collide,
    only_the_first_of_a_lane_is_granted,
    ready_is_a_hint_that_is_not_lost,
    the_answer_tells_how_many_turns_wait,
    a_bot_with_few_chats_does_not_wait_for_one_with_many,
    a_lane_is_in_one_hand_only,
    a_purged_bot_is_forgotten,
    a_renewal_that_was_not_heard_of_counts,
    a_turn_holds_the_first_updates_in_order,
    claims_tell_when_to_come_back,
    long_runs_count_as_several_turns,
    sizes_add_up,
    tokens_are_never_repeated,
    a_commit_appends_its_messages_and_grants_the_outbox,
    a_commit_happens_once,
    a_commit_takes_several_updates,
    a_commit_takes_no_more_than_the_turn_had,
    a_commit_under_a_stale_revision_keeps_the_lease,
    a_commit_without_a_revision_is_never_stale,
    a_document_is_forgotten_after_its_time,
    a_document_is_kept_replaced_and_deleted,
    documents_of_a_bot_are_listed_in_pieces,
    a_fenced_commit_writes_nothing,
    a_kept_lane_goes_on_under_a_new_token,
    a_revision_never_goes_back,
    an_expired_lease_commits_until_it_is_taken_back,
    a_failed_update_comes_again_when_it_is_due,
    a_failure_without_lease_is_fenced,
    a_lost_lease_counts_as_a_try,
    a_success_forgets_the_tries,
    released_turns_do_not_count_as_tries,
    the_last_try_ends_in_the_dead_letters,
]);
