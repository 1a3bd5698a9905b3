//! Who is asked about a number, when, and what becomes of the answer.

use super::*;

fn number() -> Number {
    Number { e164: "+385".into(), national: "1".into() }
}

#[test]
fn pauses_grow_and_tries_end() {
    let mut lookups = Lookups::default();
    assert_eq!(lookups.ask("c1", &number(), 0), Begun::Ask);
    assert_eq!(lookups.ask("c2", &number(), 0), Begun::Waits);
    let mut now = 0;
    for attempt in 0..3 {
        assert!(lookups.failed("+385", attempt, 3, now));
        assert!(lookups.failed("+385", attempt, 3, now), "an answer that came late");
        assert_eq!(lookups.next(), Some(now + (PAUSE << attempt)));
        assert_eq!(lookups.due(now), []);
        now += PAUSE << attempt;
        assert_eq!(lookups.due(now), [Due::Ask { number: number(), attempt: attempt + 1 }]);
    }
    assert!(!lookups.failed("+385", 3, 3, now));
    assert_eq!(lookups.finish("+385").len(), 2);
    assert_eq!(lookups.next(), None);
}

#[test]
fn an_answer_that_never_comes_is_not_waited_for_for_ever() {
    let mut lookups = Lookups::default();
    lookups.ask("c1", &number(), 7);
    assert_eq!(lookups.due(LOST + 6), []);
    assert_eq!(lookups.due(LOST + 7), [Due::Failed { number: "+385".into() }]);
}

#[test]
fn numbers_are_bounded() {
    let mut lookups = Lookups::default();
    for index in 0..MOST {
        let number = Number { e164: format!("+1-{index}"), national: String::new() };
        assert_eq!(lookups.ask("c", &number, 0), Begun::Ask);
    }
    assert_eq!(lookups.ask("c", &number(), 0), Begun::Full);
    lookups.forget("c");
    assert_eq!(lookups.ask("c", &number(), 0), Begun::Ask);
}
