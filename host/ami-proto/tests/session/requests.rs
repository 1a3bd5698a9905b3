//! Actions and their outcomes: answers, lists, deadlines, keep-alive, and the end of the link.

use ami_proto::{
    Action, AsteriskVersion, Outcome, Output, SessionConfig, State, SubmitError, actions,
};

use crate::walk::{Walk, config};

#[test]
fn a_response_answers_its_action() {
    let mut walk = Walk::ready(config());
    walk.submit(actions::hangup("PJSIP/201-1", Some(16)));
    walk.submit(actions::ping());
    walk.receive("Response: Success\nActionID: t-3\nPing: Pong\n\n")
        .receive("Response: Error\nActionID: t-2\nMessage: No such channel\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Hangup, ActionID: t-2, Channel: PJSIP/201-1, Cause: 16
    0 > Action: Ping, ActionID: t-3
    0 = t-3 [Response: Success, ActionID: t-3, Ping: Pong]
    0 = t-2 [Response: Error, ActionID: t-2, Message: No such channel]
    ");
}

#[test]
fn a_list_is_gathered_while_live_events_pass() {
    let mut walk = Walk::ready(config());
    walk.submit(actions::extension_state_list());
    walk.receive("Event: ExtensionStatus\nExten: 201\nStatus: 1\n\n")
        .receive("Response: Success\nActionID: t-2l\nEventList: start\n\n")
        .receive("Event: ExtensionStatus\nActionID: t-2l\nExten: 201\nStatus: 0\n\n")
        .receive("Event: ExtensionStatus\nExten: 202\nStatus: 8\n\n")
        .receive("Event: ExtensionStatus\nActionID: t-2l\nExten: 202\nStatus: 0\n\n")
        .receive("Event: ExtensionStateListComplete\nActionID: t-2l\neventlist: complete\nlistitems: 2\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: ExtensionStateList, ActionID: t-2l
    0 = event [Event: ExtensionStatus, Exten: 201, Status: 1]
    0 = event [Event: ExtensionStatus, Exten: 202, Status: 8]
    0 = t-2l [Response: Success, ActionID: t-2l, EventList: start] + [Event: ExtensionStatus, ActionID: t-2l, Exten: 201, Status: 0] + [Event: ExtensionStatus, ActionID: t-2l, Exten: 202, Status: 0] + [Event: ExtensionStateListComplete, ActionID: t-2l, eventlist: complete, listitems: 2]
    ");
}

#[test]
fn lists_that_are_empty_refused_cancelled_or_old() {
    let mut walk = Walk::ready(config());
    walk.submit(actions::confbridge_list_rooms());
    walk.receive("Response: Error\nActionID: t-2l\nMessage: No active conferences.\n\n");
    walk.submit(actions::status());
    walk.receive("Response: Success\nActionID: t-3l\nEventList: start\n\n")
        .receive("Event: Status\nActionID: t-3l\nChannel: A\n\n")
        .receive("Response: Error\nActionID: t-3l\nMessage: Memory Allocation Failure\n\n");
    walk.submit(actions::status());
    walk.receive("Response: Success\nActionID: t-4l\nEventList: start\n\n")
        .receive("Event: StatusComplete\nActionID: t-4l\nEventList: cancelled\n\n");
    // Asterisk 11: neither start nor Complete.
    walk.submit(actions::queue_status());
    walk.receive("Response: Success\nActionID: t-5l\nMessage: Queue status will follow\n\n")
        .receive("Event: QueueParams\nActionID: t-5l\nQueue: sales\n\n")
        .receive("Event: QueueStatusComplete\nActionID: t-5l\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: ConfbridgeListRooms, ActionID: t-2l
    0 = t-2l [Response: Error, ActionID: t-2l, Message: No active conferences.]
    0 > Action: Status, ActionID: t-3l
    0 = t-3l [Response: Error, ActionID: t-3l, Message: Memory Allocation Failure] + [Event: Status, ActionID: t-3l, Channel: A]
    0 > Action: Status, ActionID: t-4l
    0 = t-4l [Response: Success, ActionID: t-4l, EventList: start] + [Event: StatusComplete, ActionID: t-4l, EventList: cancelled]
    0 > Action: QueueStatus, ActionID: t-5l
    0 = t-5l [Response: Success, ActionID: t-5l, Message: Queue status will follow] + [Event: QueueParams, ActionID: t-5l, Queue: sales] + [Event: QueueStatusComplete, ActionID: t-5l]
    ");
}

/// Answers a listing with these; whether that was taken for all there is.
fn is_whole(answer: &[&str]) -> bool {
    let mut walk = Walk::ready(config());
    walk.submit_unsent(actions::status());
    let answer: Vec<String> = answer
        .iter()
        .map(|text| text.replacen('\n', "\r\nActionID: t-2l\r\n", 1).replace("\n\n", "\n\r\n"))
        .collect();
    walk.session.buffer().extend_from_slice(answer.concat().as_bytes());
    walk.session.handle_input(0);
    match walk.session.poll_output() {
        Some(Output::Reply { outcome, .. }) => outcome.is_whole(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_list_that_was_cut_short_is_known() {
    let (start, item) = ("Response: Success\nEventList: start\n\n", "Event: Status\n\n");
    let complete = "Event: StatusComplete\nEventList: Complete\n\n";
    let cancelled = "Event: StatusComplete\nEventList: cancelled\n\n";
    let error = "Response: Error\nMessage: x\n\n";
    assert!(is_whole(&[start, item, complete]));
    assert!(is_whole(&[start, complete]));
    assert!(is_whole(&["Response: Success\n\n", item, "Event: StatusComplete\n\n"]));
    // There is nothing to list, or no right to: whoever asked reads the error.
    assert!(is_whole(&[error]));
    assert!(!is_whole(&[start, item, cancelled]));
    assert!(!is_whole(&[start, cancelled]));
    assert!(!is_whole(&[start, item, error]));
}

#[test]
fn a_list_is_known_by_its_response_too() {
    let mut walk = Walk::ready(config());
    walk.submit(Action::new("SomeNewList"));
    walk.receive("Response: Success\nActionID: t-2\nEventList: start\n\n")
        .receive("Event: Item\nActionID: t-2\n\n")
        .receive("Event: SomeNewListDone\nActionID: t-2\nEventList: Complete\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: SomeNewList, ActionID: t-2
    0 = t-2 [Response: Success, ActionID: t-2, EventList: start] + [Event: Item, ActionID: t-2] + [Event: SomeNewListDone, ActionID: t-2, EventList: Complete]
    ");
}

#[test]
fn a_complete_before_the_response_waits_for_it() {
    let mut walk = Walk::ready(config());
    walk.submit(actions::status());
    walk.receive("Event: StatusComplete\nActionID: t-2l\nEventList: Complete\n\n")
        .receive("Response: Success\nActionID: t-2l\nEventList: start\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Status, ActionID: t-2l
    0 = t-2l [Response: Success, ActionID: t-2l, EventList: start] + [Event: StatusComplete, ActionID: t-2l, EventList: Complete]
    ");
}

#[test]
fn an_originates_outcome_is_a_live_event() {
    let mut walk = Walk::ready(config());
    let originate = Action::new("Originate").header("Channel", "PJSIP/201").header("Async", "true");
    let id = walk.submit(originate);
    assert_eq!(walk.session.action_id(id), "t-2");
    walk.receive("Response: Success\nActionID: t-2\nMessage: Originate successfully queued\n\n")
        .receive("Event: OriginateResponse\nActionID: t-2\nResponse: Failure\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Originate, ActionID: t-2, Channel: PJSIP/201, Async: true
    0 = t-2 [Response: Success, ActionID: t-2, Message: Originate successfully queued]
    0 = event [Event: OriginateResponse, ActionID: t-2, Response: Failure]
    ");
}

#[test]
fn anothers_user_event_is_no_item() {
    let mut walk = Walk::ready(config());
    walk.submit(actions::status());
    walk.receive("Event: UserEvent\nUserEvent: x\nActionID: t-2l\nEventList: Complete\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Status, ActionID: t-2l
    0 = event [Event: UserEvent, UserEvent: x, ActionID: t-2l, EventList: Complete]
    ");
    assert_eq!(walk.session.pending(), (1, 0));
}

#[test]
fn a_response_without_an_id_is_the_only_ones() {
    let mut walk = Walk::ready(config());
    walk.submit(Action::new("One"));
    walk.receive("Response: Error\nMessage: Missing action in request\n\n");
    walk.submit(Action::new("Two"));
    walk.submit(Action::new("Three"));
    walk.receive("Response: Success\nMessage: whose?\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: One, ActionID: t-2
    0 = t-2 [Response: Error, Message: Missing action in request]
    0 > Action: Two, ActionID: t-3
    0 > Action: Three, ActionID: t-4
    0 = unclaimed [Response: Success, Message: whose?]
    ");
}

#[test]
fn a_late_response_without_an_id_is_nobodys() {
    let mut walk = Walk::ready(SessionConfig { ping_every_ms: 100_000, ..config() });
    walk.submit(Action::new("Slow"));
    walk.until(30_000);
    walk.submit(Action::new("Next"));
    walk.receive("Response: Success\nMessage: of the slow one\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Slow, ActionID: t-2
    30000 = t-2 TimedOut
    30000 > Action: Next, ActionID: t-3
    30000 = unclaimed [Response: Success, Message: of the slow one]
    ");
    assert_eq!(walk.session.pending(), (1, 0));
}

#[test]
fn a_deadline_passes_and_the_late_answer_is_told_apart() {
    let mut walk = Walk::ready(SessionConfig { ping_every_ms: 100_000, ..config() });
    walk.submit(actions::device_state_list());
    walk.until(30_000);
    walk.receive("Response: Success\nActionID: t-2l\nEventList: start\n\n")
        .receive("Event: DeviceStateChange\nActionID: t-2l\nDevice: PJSIP/201\n\n")
        .receive("Event: DeviceStateChange\nDevice: PJSIP/201\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: DeviceStateList, ActionID: t-2l
    30000 = t-2l TimedOut
    30000 = unclaimed [Response: Success, ActionID: t-2l, EventList: start]
    30000 = unclaimed [Event: DeviceStateChange, ActionID: t-2l, Device: PJSIP/201]
    30000 = event [Event: DeviceStateChange, Device: PJSIP/201]
    ");
}

#[test]
fn only_so_many_are_in_flight_and_order_is_kept() {
    let mut walk = Walk::ready(SessionConfig { max_in_flight: 2, max_queued: 2, ..config() });
    for name in ["A", "B", "C", "D"] {
        walk.submit(Action::new(name));
    }
    assert_eq!(walk.session.pending(), (2, 2));
    assert_eq!(walk.try_submit(Action::new("E")), Err(SubmitError::QueueFull(2)));
    walk.receive("Response: Success\nActionID: t-3\n\n")
        .receive("Response: Success\nActionID: t-2\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: A, ActionID: t-2
    0 > Action: B, ActionID: t-3
    0 > Action: C, ActionID: t-4
    0 = t-3 [Response: Success, ActionID: t-3]
    0 > Action: D, ActionID: t-5
    0 = t-2 [Response: Success, ActionID: t-2]
    ");
}

#[test]
fn what_waits_past_its_deadline_was_not_sent() {
    let mut walk = Walk::ready(SessionConfig { max_in_flight: 1, ..config() });
    walk.submit(Action::new("A"));
    walk.submit_for(Action::new("B"), 5_000);
    walk.submit_for(Action::new("C"), 8_000);
    walk.until(6_000).receive("Response: Success\nActionID: t-2\n\n").until(10_000);
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: A, ActionID: t-2
    5000 = t-3 NotSent
    6000 > Action: C, ActionID: t-4
    6000 = t-2 [Response: Success, ActionID: t-2]
    8000 = t-4 TimedOut
    ");
}

#[test]
fn an_action_out_of_time_makes_room_for_the_next() {
    let mut walk = Walk::ready(SessionConfig { max_in_flight: 1, ..config() });
    walk.submit_for(Action::new("A"), 5_000);
    walk.submit(Action::new("B"));
    walk.until(5_000);
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: A, ActionID: t-2
    5000 > Action: B, ActionID: t-3
    5000 = t-2 TimedOut
    ");
}

#[test]
fn an_invalid_action_is_refused_at_once() {
    let mut walk = Walk::ready(config());
    let forged = Action::new("Hangup").header("Channel", "x\r\n\r\nAction: Command");
    assert!(matches!(walk.try_submit(forged), Err(SubmitError::Invalid(_))));
    insta::assert_snapshot!(walk.transcript(), @"");
    assert_eq!(walk.session.pending(), (0, 0));
}

#[test]
fn a_link_that_dies_gives_every_action_an_outcome() {
    let mut walk = Walk::ready(SessionConfig { max_in_flight: 3, ..config() });
    walk.submit(Action::new("Sent"));
    walk.submit(actions::status());
    walk.receive("Response: Success\nActionID: t-3l\nEventList: start\n\n");
    walk.submit_unsent(Action::new("NotWritten"));
    walk.submit_unsent(Action::new("Waiting"));
    walk.disconnect();
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Sent, ActionID: t-2
    0 > Action: Status, ActionID: t-3l
    0 = t-2 Unknown
    0 = t-3l Unknown
    0 = t-4 NotSent
    0 = t-5 NotSent
    0 = closed: the connection was lost
    ");
    assert_eq!(walk.session.state(), State::Closed);
    assert_eq!(walk.try_submit(Action::new("Late")), Err(SubmitError::Closed));
    assert_eq!(walk.session.poll_timeout(), None);
}

#[test]
fn a_silent_link_is_pinged_and_then_dead() {
    let mut walk = Walk::ready(config());
    walk.until(16_000);
    walk.receive("Response: Success\nActionID: t-2\nPing: Pong\n\n").until(60_000);
    insta::assert_snapshot!(walk.transcript(), @"
    15000 > Action: Ping, ActionID: t-2
    31000 > Action: Ping, ActionID: t-3
    36000 = closed: the server did not answer for 5000 ms
    ");
}

#[test]
fn live_events_do_not_hide_that_nothing_is_answered() {
    let mut walk = Walk::ready(config());
    for second in 1..25 {
        walk.until(second * 1_000);
        if walk.session.state() == State::Ready {
            walk.receive("Event: Reload\n\n");
        }
    }
    let events = "= event [Event: Reload]\n";
    let told = walk.transcript();
    assert_eq!(told.matches(events).count(), 19);
    let other: String = told.split_inclusive('\n').filter(|line| !line.ends_with(events)).collect();
    insta::assert_snapshot!(other, @"
    15000 > Action: Ping, ActionID: t-2
    20000 = closed: the server did not answer for 5000 ms
    ");
}

#[test]
fn any_byte_after_a_ping_keeps_the_link() {
    let mut walk = Walk::ready(config());
    walk.until(19_999);
    walk.receive_bytes(b"Event").until(20_000);
    assert_eq!(walk.session.state(), State::Ready);
}

#[test]
fn a_process_that_stood_still_asks_again_before_it_judges() {
    let mut walk = Walk::ready(config());
    walk.until(15_000);
    walk.session.handle_timeout(3_600_000);
    assert_eq!(walk.session.state(), State::Ready);
    walk.now_ms = 3_600_000;
    walk.receive("").until(3_700_000);
    insta::assert_snapshot!(walk.transcript(), @"
    15000 > Action: Ping, ActionID: t-2
    3600000 > Action: Ping, ActionID: t-3
    3605000 = closed: the server did not answer for 5000 ms
    ");
}

#[test]
fn a_clock_that_steps_back_changes_nothing() {
    let mut walk = Walk::ready(config());
    walk.until(14_000).receive("Response: Success\nActionID: late\n\n");
    walk.now_ms = 0;
    walk.submit(Action::new("A"));
    walk.session.handle_timeout(5);
    assert_eq!(walk.session.poll_timeout(), Some(29_000));
}

#[test]
fn goodbye() {
    let mut walk = Walk::ready(SessionConfig { max_in_flight: 1, ..config() });
    walk.submit(Action::new("InFlight"));
    walk.submit(Action::new("Waiting"));
    walk.close().close();
    assert_eq!(walk.try_submit(Action::new("Late")), Err(SubmitError::Closed));
    walk.receive("Response: Success\nActionID: t-2\n\n")
        .receive("Event: Reload\n\n")
        .receive("Response: Goodbye\nActionID: t-4\nMessage: Thanks for all the fish.\n\n")
        .disconnect();
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: InFlight, ActionID: t-2
    0 > Action: Logoff, ActionID: t-4
    0 = t-3 NotSent
    0 = t-2 [Response: Success, ActionID: t-2]
    0 = event [Event: Reload]
    0 = closed: closed on request
    ");
}

#[test]
fn a_goodbye_without_an_answer_still_ends() {
    let mut walk = Walk::ready(config());
    walk.submit(Action::new("InFlight"));
    walk.close().until(60_000);
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: InFlight, ActionID: t-2
    0 > Action: Logoff, ActionID: t-3
    2000 = t-2 Unknown
    2000 = closed: closed on request
    ");
    let mut walk = Walk::ready(config());
    walk.close().disconnect();
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Logoff, ActionID: t-2
    0 = closed: closed on request
    ");
}

#[test]
fn a_command_of_an_old_server() {
    let mut walk = Walk::new(SessionConfig { auth: ami_proto::Auth::Plain, ..config() });
    walk.receive("Asterisk Call Manager/2.10.6\n")
        .receive("Response: Success\nActionID: t-1\nMessage: Authentication accepted\n\n")
        .receive("Event: FullyBooted\nStatus: Fully Booted\n\n");
    walk.session.submit(Action::new("Command"), 1_000, 0).unwrap();
    walk.receive_bytes(
        b"Response: Follows\r\nPrivilege: Command\r\nActionID: t-2\r\nUptime: 1\n\nx\n--END COMMAND--\r\n\r\n",
    );
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Login, ActionID: t-1, Username: bob, Secret: secret, Events: on
    0 = event [Event: FullyBooted, Status: Fully Booted]
    0 = ready 2.10.6
    0 > Action: Command, ActionID: t-2
    0 = t-2 [Response: Follows, Privilege: Command, ActionID: t-2, Output: Uptime: 1, Output:, Output: x]
    ");
}

#[test]
fn a_version_is_learned_from_any_core_settings() {
    let mut walk = Walk::ready(config());
    walk.submit(actions::core_settings());
    walk.receive("Response: Success\nActionID: t-2\nAsteriskVersion: 20.19.0\n\n");
    assert_eq!(
        walk.session.asterisk_version().map(AsteriskVersion::has_match_criteria),
        Some(true)
    );
}

#[test]
fn figures() {
    let mut walk = Walk::ready(config());
    let before = walk.session.stats();
    walk.submit(Action::new("A"));
    walk.until(250);
    walk.receive_bytes(b"Response: Success\r\nActionID: t-2\r\n\r\nEvent: Reload\r\n\r\nEv");
    let after = walk.session.stats();
    assert_eq!(after.bytes_in - before.bytes_in, 55);
    assert_eq!(
        after.bytes_out - before.bytes_out,
        "Action: A\r\nActionID: t-2\r\n\r\n".len() as u64
    );
    assert_eq!((after.messages - before.messages, after.actions - before.actions), (2, 1));
    assert_eq!(after.latency_ms, Some(250));
}

#[test]
fn a_list_beyond_its_bound_is_dropped_whole() {
    let mut walk = Walk::ready(SessionConfig { max_list_items: 2, ..config() });
    let id = walk.submit(actions::status());
    walk.receive("Response: Success\nActionID: t-2l\nEventList: start\n\n");
    for _ in 0..3 {
        walk.receive("Event: Status\nActionID: t-2l\n\n");
    }
    walk.session.buffer().extend_from_slice(
        b"Event: StatusComplete\r\nActionID: t-2l\r\nEventList: Complete\r\n\r\n",
    );
    walk.session.handle_input(0);
    let reply = walk.session.poll_output();
    assert!(
        matches!(&reply, Some(Output::Reply { id: of, outcome: Outcome::ListTooLong }) if *of == id),
        "{reply:?}"
    );
}

#[test]
fn an_owner_who_cannot_keep_up_gets_answers_and_no_events() {
    let mut walk = Walk::ready(config());
    walk.submit(actions::ping());
    walk.session.shed(true);
    walk.receive("Event: Newchannel\nChannel: A\n\nEvent: Hangup\nChannel: A\n\n")
        .receive("Response: Success\nActionID: t-2\nPing: Pong\n\n");
    walk.submit(actions::status());
    walk.receive("Response: Success\nActionID: t-3l\nEventList: start\n\n")
        .receive("Event: StatusComplete\nActionID: t-3l\nEventList: Complete\n\n")
        .receive("Event: FullyBooted\nStatus: Fully Booted\n\n");
    walk.session.shed(false);
    walk.receive("Event: Newchannel\nChannel: B\n\n");
    assert_eq!(walk.session.stats().shed, 2);
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Ping, ActionID: t-2
    0 = t-2 [Response: Success, ActionID: t-2, Ping: Pong]
    0 > Action: Status, ActionID: t-3l
    0 = t-3l [Response: Success, ActionID: t-3l, EventList: start] + [Event: StatusComplete, ActionID: t-3l, EventList: Complete]
    0 = event [Event: FullyBooted, Status: Fully Booted]
    0 = event [Event: Newchannel, Channel: B]
    ");
}
