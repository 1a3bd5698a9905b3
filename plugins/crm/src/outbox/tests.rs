//! What the CRM is to be told: in order per call, at least once, and set aside when refused for good.

use super::*;
use telepulse_plugin_sdk::testing::FakeHost;

fn note(text: &str) -> Entry {
    Entry::Note { text: text.to_owned(), by: None, at: 0, values: Values::new() }
}

fn call() -> Entry {
    Entry::Call { values: Values::from([("seconds".to_owned(), 7.into())]) }
}

#[test]
fn one_call_does_not_wait_for_another() {
    let _host = FakeHost::install();
    let mut outbox = Outbox::default();
    for id in ["a", "b"] {
        outbox.add(id, note("x")).unwrap();
        outbox.add(id, call()).unwrap();
    }
    let due = outbox.due(1);
    assert_eq!(
        due.iter().map(|it| (&*it.call, it.up_to, it.is_call)).collect::<Vec<_>>(),
        [("a", 2, true), ("b", 4, true)]
    );
    outbox.failed("a", 1);
    outbox.delivered("b", 4).unwrap();
    assert_eq!((outbox.len(), outbox.due(2).len(), outbox.next()), (2, 0, Some(1 + PAUSE)));
    assert_eq!(outbox.due(1 + PAUSE).len(), 1);
    // No answer at all: it counts as lost.
    assert_eq!(outbox.due(1 + PAUSE + LOST).len(), 1);
}

#[test]
fn pauses_grow_up_to_a_limit() {
    let _host = FakeHost::install();
    let mut outbox = Outbox::default();
    outbox.add("a", call()).unwrap();
    let mut pauses = Vec::new();
    for _ in 0..12 {
        outbox.due(u64::MAX / 2);
        outbox.failed("a", 0);
        pauses.push(outbox.next().unwrap() / PAUSE);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
}

#[test]
fn what_is_on_disk_is_found_in_order() {
    let _host = FakeHost::install();
    let mut outbox = Outbox::default();
    for text in ["one", "two"] {
        outbox.add("a", note(text)).unwrap();
    }
    outbox.add("a", call()).unwrap();
    let mut outbox = Outbox::load().unwrap();
    assert_eq!(outbox.due(1)[0].values["text"], "one\ntwo");
    outbox.delivered("a", 3).unwrap();
    assert_eq!(
        (Outbox::load().unwrap().len(), logged("a").unwrap().unwrap()["seconds"].clone()),
        (0, 7.into())
    );
}

#[test]
fn what_waits_is_bounded() {
    let _host = FakeHost::install();
    let mut outbox = Outbox::default();
    for number in 0..MOST {
        assert!(!outbox.is_full());
        outbox.add(&format!("c{number}"), call()).unwrap();
    }
    assert!(outbox.is_full());
    assert_eq!(
        (outbox.due(1).len(), outbox.len(), Outbox::load().unwrap().len()),
        (UNDER_WAY, MOST, MOST)
    );
    outbox.delivered("c0", 1).unwrap();
    assert!(!outbox.is_full());
}

#[test]
fn so_many_are_under_way_and_others_wait_for_them() {
    let _host = FakeHost::install();
    let mut outbox = Outbox::default();
    for number in 0..=UNDER_WAY {
        outbox.add(&format!("c{number:02}"), call()).unwrap();
    }
    assert_eq!(outbox.due(1).len(), UNDER_WAY);
    assert_eq!((outbox.due(2).len(), outbox.next()), (0, Some(1 + LOST)), "it does not spin");
    outbox.delivered("c00", 1).unwrap();
    assert_eq!(outbox.due(3).len(), 1);
}

#[test]
fn what_was_set_aside_stays_there_whatever_comes_after_it() {
    let _host = FakeHost::install();
    let mut outbox = Outbox::default();
    for text in ["one", "two"] {
        outbox.add("a", note(text)).unwrap();
        outbox.add("a", call()).unwrap();
        let delivery = outbox.due(1).remove(0);
        assert_eq!(outbox.refused("a", delivery.up_to, "no", 1), Ok(2));
    }
    let asides = asides(10).unwrap();
    assert_eq!(asides.len(), 4);
    // One is tried again while another is on its way: it goes behind that.
    outbox.add("a", note("three")).unwrap();
    outbox.add("a", call()).unwrap();
    let delivery = outbox.due(1).remove(0);
    aside(&asides[0].0).unwrap();
    outbox.again("a").unwrap();
    outbox.delivered("a", delivery.up_to).unwrap();
    assert_eq!((outbox.len(), outbox.due(2)[0].values["text"].clone()), (1, "one".into()));
}
