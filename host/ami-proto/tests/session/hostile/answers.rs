//! Answers to nobody, answers twice, answers that do not add up, and events that are none.

use ami_proto::{Action, SessionConfig, actions};

use super::{assert_goes_on, flood, small};
use crate::walk::{Walk, config};

const START: &str = "Response: Success\nActionID: t-2l\nEventList: start\n\n";
const ITEM: &str = "Event: Status\nActionID: t-2l\n\n";
const COMPLETE: &str = "Event: StatusComplete\nActionID: t-2l\nEventList: Complete\n\n";

#[test]
fn wrong_action_ids() {
    let mut walk = Walk::ready(config());
    walk.submit(Action::new("A"));
    for id in
        ["t-18446744073709551616", "t-+2", "t-02", "t-2l", "t-2 ", "T-2", "t--2", "u-2", "", "t-1"]
    {
        walk.receive(&format!("Response: Success\nActionID: {id}\n\n"));
    }
    walk.receive("orphan\n\n").receive("Response: Success\nActionID: t-2\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: A, ActionID: t-2
    0 = unclaimed [Response: Success, ActionID: t-18446744073709551616]
    0 = unclaimed [Response: Success, ActionID: t-+2]
    0 = unclaimed [Response: Success, ActionID: t-02]
    0 = unclaimed [Response: Success, ActionID: t-2l]
    0 = unclaimed [Response: Success, ActionID: t-2]
    0 = unclaimed [Response: Success, ActionID: T-2]
    0 = unclaimed [Response: Success, ActionID: t--2]
    0 = unclaimed [Response: Success, ActionID: u-2]
    0 = unclaimed [Response: Success, ActionID:]
    0 = unclaimed [Response: Success, ActionID: t-1]
    0 = unclaimed [: orphan]
    0 = t-2 [Response: Success, ActionID: t-2]
    ");
    assert_goes_on(&mut walk);
}

#[test]
fn guessed_action_ids() {
    // What is guessed before it is asked answers nothing, then or later.
    let mut walk = Walk::ready(config());
    for number in 2..6 {
        walk.receive(&format!("Response: Error\nActionID: t-{number}\n\n"))
            .receive(&format!("Event: Forged\nActionID: t-{number}l\nEventList: Complete\n\n"));
    }
    walk.submit(Action::new("A"));
    walk.submit(actions::status());
    walk.receive("Response: Success\nActionID: t-2\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 = unclaimed [Response: Error, ActionID: t-2]
    0 = event [Event: Forged, ActionID: t-2l, EventList: Complete]
    0 = unclaimed [Response: Error, ActionID: t-3]
    0 = event [Event: Forged, ActionID: t-3l, EventList: Complete]
    0 = unclaimed [Response: Error, ActionID: t-4]
    0 = event [Event: Forged, ActionID: t-4l, EventList: Complete]
    0 = unclaimed [Response: Error, ActionID: t-5]
    0 = event [Event: Forged, ActionID: t-5l, EventList: Complete]
    0 > Action: A, ActionID: t-2
    0 > Action: Status, ActionID: t-3l
    0 = t-2 [Response: Success, ActionID: t-2]
    ");
    assert_eq!(walk.session.pending(), (1, 0), "the list is still waited for");
}

#[test]
fn responses_twice() {
    let mut walk = Walk::ready(config());
    walk.submit(Action::new("A"));
    walk.submit(Action::new("B"));
    walk.receive("Response: Success\nActionID: t-2\n\n")
        .receive("Response: Success\nActionID: t-2\n\n")
        .receive("Response: Error\nActionID: t-2\n\n")
        .receive("Response: Success\nActionID: t-3\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: A, ActionID: t-2
    0 > Action: B, ActionID: t-3
    0 = t-2 [Response: Success, ActionID: t-2]
    0 = unclaimed [Response: Success, ActionID: t-2]
    0 = unclaimed [Response: Error, ActionID: t-2]
    0 = t-3 [Response: Success, ActionID: t-3]
    ");
    assert_goes_on(&mut walk);
}

#[test]
fn a_second_success_for_a_list_is_not_its() {
    let mut walk = Walk::ready(config());
    walk.submit(actions::status());
    walk.receive(START)
        .receive("Response: Success\nActionID: t-2l\nEventList: start\nMessage: again\n\n")
        .receive(COMPLETE);
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Status, ActionID: t-2l
    0 = unclaimed [Response: Success, ActionID: t-2l, EventList: start, Message: again]
    0 = t-2l [Response: Success, ActionID: t-2l, EventList: start] + [Event: StatusComplete, ActionID: t-2l, EventList: Complete]
    ");
    assert_goes_on(&mut walk);
}

#[test]
fn a_response_after_its_deadline() {
    let mut walk = Walk::ready(SessionConfig { ping_every_ms: 100_000, ..config() });
    walk.submit_for(Action::new("Late"), 1_000);
    walk.until(1_000);
    walk.submit(Action::new("Next"));
    walk.receive("Response: Success\nActionID: t-2\n\n")
        .receive("Response: Success\nActionID: t-2\n\n")
        .receive("Response: Success\nActionID: t-3\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Late, ActionID: t-2
    1000 = t-2 TimedOut
    1000 > Action: Next, ActionID: t-3
    1000 = unclaimed [Response: Success, ActionID: t-2]
    1000 = unclaimed [Response: Success, ActionID: t-2]
    1000 = t-3 [Response: Success, ActionID: t-3]
    ");
    assert_goes_on(&mut walk);
}

#[test]
fn complete_without_start() {
    let mut walk = Walk::ready(SessionConfig { ping_every_ms: 100_000, ..config() });
    walk.receive(COMPLETE);
    walk.submit(actions::status());
    walk.receive(COMPLETE).receive(COMPLETE).until(30_000);
    insta::assert_snapshot!(walk.transcript(), @"
    0 = event [Event: StatusComplete, ActionID: t-2l, EventList: Complete]
    0 > Action: Status, ActionID: t-2l
    30000 = t-2l TimedOut
    ");
    assert_goes_on(&mut walk);
}

#[test]
fn start_without_complete() {
    let mut walk = Walk::ready(SessionConfig { ping_every_ms: 100_000, ..config() });
    walk.submit(actions::status());
    walk.receive(START).receive(ITEM).until(30_000);
    walk.receive(ITEM).receive(COMPLETE);
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Status, ActionID: t-2l
    30000 = t-2l TimedOut
    30000 = unclaimed [Event: Status, ActionID: t-2l]
    30000 = unclaimed [Event: StatusComplete, ActionID: t-2l, EventList: Complete]
    ");
    assert_goes_on(&mut walk);
}

#[test]
fn complete_with_another_number_of_items() {
    for said in ["2", "0", "-1", "many", ""] {
        let mut walk = Walk::ready(config());
        walk.submit(actions::status());
        let complete =
            COMPLETE.replace("Complete\n\n", &format!("Complete\nListItems: {said}\n\n"));
        walk.receive(START).receive(ITEM).receive(&complete);
        let transcript = walk.transcript();
        let problem =
            format!("= problem: the list that answers t-2l has 1 items, and says it has {said}\n");
        assert!(transcript.contains(&problem), "{transcript}");
        assert_eq!(transcript.matches("= t-2l [Response: Success").count(), 1, "{transcript}");
        assert_goes_on(&mut walk);
    }
}

#[test]
fn items_for_a_list_that_is_over() {
    let mut walk = Walk::ready(config());
    walk.submit(actions::status());
    walk.receive(START).receive(COMPLETE).receive(ITEM).receive(COMPLETE);
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Status, ActionID: t-2l
    0 = t-2l [Response: Success, ActionID: t-2l, EventList: start] + [Event: StatusComplete, ActionID: t-2l, EventList: Complete]
    0 = unclaimed [Event: Status, ActionID: t-2l]
    0 = unclaimed [Event: StatusComplete, ActionID: t-2l, EventList: Complete]
    ");
    assert_goes_on(&mut walk);
}

#[test]
fn an_error_after_start_ends_a_list() {
    let mut walk = Walk::ready(config());
    walk.submit(actions::status());
    walk.receive(START).receive(ITEM);
    walk.receive("Response: Error\nActionID: t-2l\nMessage: out of memory\n\n");
    walk.receive(ITEM).receive(COMPLETE);
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Status, ActionID: t-2l
    0 = t-2l [Response: Error, ActionID: t-2l, Message: out of memory] + [Event: Status, ActionID: t-2l]
    0 = unclaimed [Event: Status, ActionID: t-2l]
    0 = unclaimed [Event: StatusComplete, ActionID: t-2l, EventList: Complete]
    ");
    assert_goes_on(&mut walk);
}

#[test]
fn a_list_with_an_unreadable_item_is_not_taken_for_whole() {
    let mut walk = Walk::ready(small());
    walk.submit(actions::status());
    let long = "A: 1\n".repeat(20);
    walk.receive(START)
        .receive(&format!("Event: Status\nActionID: t-2l\n{long}\n"))
        .receive(COMPLETE);
    insta::assert_snapshot!(walk.transcript(), @r"
    0 > Action: Status, ActionID: t-2l
    0 = problem: skipped a message of more than 10 lines: Event: Status\r\nActionID: t-2l\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA
    0 = t-2l Unknown
    0 = unclaimed [Event: StatusComplete, ActionID: t-2l, EventList: Complete]
    ");
    assert_goes_on(&mut walk);
}

#[test]
fn many_long_lists_share_one_bound() {
    let mut walk = Walk::ready(SessionConfig { max_list_bytes: 10_000, ..config() });
    walk.submit(actions::status());
    walk.submit(actions::status());
    let item = |id: &str| format!("Event: Status\nActionID: {id}\nX: {}\n\n", "x".repeat(400));
    walk.receive(START).receive(&START.replace("t-2l", "t-3l"));
    for _ in 0..20 {
        walk.receive(&item("t-2l")).receive(&item("t-3l"));
    }
    walk.receive(&COMPLETE.replace("t-2l", "t-3l"));
    // The one that grew beyond it made room for the other.
    walk.receive(COMPLETE);
    let transcript = walk.transcript();
    let outcomes: Vec<_> = transcript.lines().map(|line| line.get(..30).unwrap_or(line)).collect();
    insta::assert_snapshot!(outcomes.join("\n"), @"
    0 > Action: Status, ActionID: 
    0 > Action: Status, ActionID: 
    0 = t-3l [Response: Success, A
    0 = t-2l ListTooLong
    ");
    assert_goes_on(&mut walk);
}

#[test]
fn an_event_forged_through_the_body_of_another() {
    // As Asterisk writes a UserEvent or AppData with line breaks in it: nothing tells the second
    // event from a real one, but it can answer nobody, end no list and swallow nothing.
    let mut walk = Walk::ready(config());
    walk.submit(actions::status());
    walk.submit(Action::new("A"));
    walk.receive(
        "Event: UserEvent\nUserEvent: x\nBody: y\n\nEvent: Hangup\nUniqueid: 7\n\n\
         Response: Success\nActionID: x-3\n\n\
         Response: Success\nMessage: whose?\n\n\
         Event: StatusComplete\nActionID: x-2l\nEventList: Complete\n\n\
         Response: Follows\n\n\
         Event: UserEvent\nActionID: t-2l\nEventList: Complete\n\n",
    );
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Status, ActionID: t-2l
    0 > Action: A, ActionID: t-3
    0 = event [Event: UserEvent, UserEvent: x, Body: y]
    0 = event [Event: Hangup, Uniqueid: 7]
    0 = unclaimed [Response: Success, ActionID: x-3]
    0 = unclaimed [Response: Success, Message: whose?]
    0 = event [Event: StatusComplete, ActionID: x-2l, EventList: Complete]
    0 = unclaimed [Response: Follows]
    0 = event [Event: UserEvent, ActionID: t-2l, EventList: Complete]
    ");
    assert_eq!(walk.session.pending(), (2, 0));
}

#[test]
fn a_flood_of_responses_to_nobody() {
    let mut walk = Walk::ready(small());
    walk.submit(Action::new("A"));
    let three = b"Response: Success\r\nActionID: x\r\n\r\nResponse: Error\r\nActionID: t-9\r\n\r\nResponse: \r\n\r\n";
    let mut walk_on = |times| flood(&mut walk.session, three, times);
    let first = walk_on(1);
    // The one without an id answers the only action that is open.
    assert_eq!((first.told["unclaimed"], first.told["reply"]), (2, 1));
    let flood = walk_on(10_000);
    assert_eq!((flood.most_held, flood.most_told), (0, 3), "nothing is kept of them");
    assert_eq!(flood.told["unclaimed"], 30_000);
    assert_goes_on(&mut walk);
}

#[test]
fn a_goodbye_unasked() {
    let mut walk = Walk::ready(config());
    walk.submit(Action::new("A"));
    walk.receive("Response: Goodbye\nMessage: Thanks for all the fish.\n\n");
    walk.receive("Response: Success\nActionID: t-2\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: A, ActionID: t-2
    0 = unclaimed [Response: Goodbye, Message: Thanks for all the fish.]
    0 = t-2 [Response: Success, ActionID: t-2]
    ");
    assert_goes_on(&mut walk);
}

#[test]
fn a_server_that_refuses_everything() {
    let mut walk = Walk::ready(SessionConfig { max_in_flight: 1, ..config() });
    for _ in 0..3 {
        walk.submit(actions::status());
    }
    for number in 2..5 {
        walk.receive(&format!("Response: Error\nActionID: t-{number}l\nMessage: no\n\n"));
    }
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Status, ActionID: t-2l
    0 > Action: Status, ActionID: t-3l
    0 = t-2l [Response: Error, ActionID: t-2l, Message: no]
    0 > Action: Status, ActionID: t-4l
    0 = t-3l [Response: Error, ActionID: t-3l, Message: no]
    0 = t-4l [Response: Error, ActionID: t-4l, Message: no]
    ");
    assert_goes_on(&mut walk);
}
