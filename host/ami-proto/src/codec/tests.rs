//! The codec as data: every shape that servers send, at every cut, and hostile streams.

use proptest::prelude::*;

use super::*;
use crate::{Key, Kind};

/// What the decoder makes of a stream, in words.
fn decode(mut decoder: Decoder, pieces: &[&[u8]]) -> Vec<String> {
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.buffer().extend_from_slice(piece);
        frames.extend(decoder.by_ref().map(|frame| match frame {
            Ok(Frame::Banner(banner)) => format!("banner {}", banner.text()),
            Ok(Frame::Message(message)) => show(&message),
            Err(error) => format!("error {:?}", error.fault),
        }));
    }
    frames
}

/// `key=value` for every field.
fn show(message: &Message) -> String {
    let fields = message
        .fields()
        .map(|(key, value)| format!("{}={}", key.escape_ascii(), value.escape_ascii()));
    fields.collect::<Vec<_>>().join(" ")
}

/// A stream of messages and what comes out: in one piece, and cut at every byte.
fn check(stream: &[u8], expected: &[&str]) {
    let whole = decode(Decoder::without_banner(Limits::default()), &[stream]);
    assert_eq!(whole, expected, "{}", stream.escape_ascii());
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(decode(Decoder::without_banner(Limits::default()), &bytes), expected, "by byte");
}

#[test]
fn ordinary_messages() {
    check(
        b"Event: Hangup\r\nCause: 16\r\n\r\nResponse: Success\r\nMessage: Ok\r\n\r\n",
        &["Event=Hangup Cause=16", "Response=Success Message=Ok"],
    );
}

#[test]
fn values_keep_what_is_theirs() {
    check(
        b"Event: Newexten\r\nAppData: Dial: a: b\r\nEmpty: \r\nBare:\r\nTight:x\r\nSpaces:   y \r\n\r\n",
        &["Event=Newexten AppData=Dial: a: b Empty= Bare= Tight=x Spaces=  y "],
    );
}

#[test]
fn bare_line_feeds_and_blank_lines_in_excess() {
    check(b"\n\r\nEvent: A\nB: 1\n\n\r\n\r\n\nEvent: C\r\n\r\n\n", &["Event=A B=1", "Event=C"]);
    check(b"Event: A\r\n\n", &["Event=A"]);
    check(b"Event: A\n\r\n", &["Event=A"]);
}

#[test]
fn carriage_returns_within_lines_are_content() {
    check(b"Event: A\rB: 1\r\n\rX: 2\r\r\n\r\r\n\r\n", &["Event=A\\rB: 1 \\rX=2\\r =\\r"]);
}

#[test]
fn a_very_long_value_is_whole() {
    let value = "0123456789abcdef".repeat(15_000);
    let stream = format!("Event: UserEvent\r\nBody: {value}\r\nMore: 1\r\n\r\n");
    let mut decoder = Decoder::without_banner(Limits::default());
    for piece in stream.as_bytes().chunks(1_460) {
        decoder.buffer().extend_from_slice(piece);
    }
    let Some(Ok(Frame::Message(message))) = decoder.next() else { panic!("no message") };
    assert_eq!((message.get("body"), message.get("more")), (Some(value.as_str()), Some("1")));
}

#[test]
fn nothing_is_copied_until_it_is_asked_for() {
    let mut decoder = Decoder::without_banner(Limits::default());
    decoder.buffer().extend_from_slice(b"Event: A\r\nK: v\r\n\r\nEvent: B\r\n\r\n");
    let read = decoder.buffer().as_ptr_range();
    let lies_in_it = |bytes: &[u8]| {
        let bytes = bytes.as_ptr_range();
        read.contains(&bytes.start) && bytes.end <= read.end
    };
    for frame in decoder.by_ref() {
        let Ok(Frame::Message(message)) = frame else { panic!("{frame:?}") };
        let shared = message.clone();
        assert!(lies_in_it(message.as_bytes()) && lies_in_it(shared.as_bytes()));
        assert!(message.fields().all(|(key, value)| lies_in_it(key) && lies_in_it(value)));
        assert!(!lies_in_it(message.detached().as_bytes()));
    }
}

#[test]
fn lines_without_a_colon_are_kept() {
    check(b"Event: A\r\nnonsense\r\n\r\n", &["Event=A =nonsense"]);
}

#[test]
fn repeated_keys_and_channels_in_keys() {
    check(
        b"Event: VarSet\r\nChanVariable(PJSIP/[::1]:5060-01): a=b: c\r\nChanVariable: d=e\r\nOdd(x: y\r\n\r\n",
        &["Event=VarSet ChanVariable(PJSIP/[::1]:5060-01)=a=b: c ChanVariable=d=e Odd(x=y"],
    );
}

#[test]
fn bytes_that_are_no_text() {
    check(b"Event: A\r\nName: M\xfcller\0\r\n\r\n", &["Event=A Name=M\\xfcller\\x00"]);
}

#[test]
fn command_output_of_newer_servers() {
    check(
        b"Response: Success\r\nMessage: Command output follows\r\nOutput: a: b\r\nOutput: \r\nOutput: c\r\n\r\n",
        &["Response=Success Message=Command output follows Output=a: b Output= Output=c"],
    );
}

#[test]
fn command_output_of_older_servers() {
    let head = "Response: Follows\r\nPrivilege: Command\r\nActionID: a-1\r\n";
    let expect = "Response=Follows Privilege=Command ActionID=a-1";
    let check_output = |output: &str, lines: &str| {
        let stream = format!("{head}{output}--END COMMAND--\r\n\r\nEvent: Next\r\n\r\n");
        check(stream.as_bytes(), &[&format!("{expect}{lines}"), "Event=Next"]);
    };
    check_output("", "");
    check_output("one: 1\n\ntwo\n", " Output=one: 1 Output= Output=two");
    check_output(
        "\nActionID: no header any more\n",
        " Output= Output=ActionID: no header any more",
    );
    check_output("no line end", " Output=no line end");
    check_output("a\n--END COMMAND--\nb\n", " Output=a Output=--END COMMAND-- Output=b");
    check_output("Event: Forged\r\n\r\n", " Output=Event: Forged Output=");
}

#[test]
fn an_injected_follows_swallows_nothing_on_newer_servers() {
    let stream: &[u8] =
        b"Asterisk Call Manager/11.0.0\r\nResponse: Follows\r\nx\r\n\r\nEvent: Next\r\n\r\n";
    let expected = ["banner 11.0.0", "Response=Follows =x", "Event=Next"];
    assert_eq!(decode(Decoder::new(Limits::default()), &[stream]), expected);
}

#[test]
fn banners_of_all_ages_and_of_others() {
    let check = |stream: &[u8], expected: &[&str]| {
        assert_eq!(decode(Decoder::new(Limits::default()), &[stream]), expected);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(decode(Decoder::new(Limits::default()), &bytes), expected, "by byte");
    };
    check(b"Asterisk Call Manager/1.1\r\n", &["banner 1.1"]);
    check(b"Asterisk Call Manager/13.0.0\nEvent: A\n\n", &["banner 13.0.0", "Event=A"]);
    check(b"Asterisk Call Manager/x", &[]);
    check(b"SSH-2.0-OpenSSH_9.2\r\nEvent: A\r\n\r\n", &["error NotAsterisk"]);
    check(b"\r\nAsterisk Call Manager/11.0.0\r\n", &["error NotAsterisk"]);
    check(b"Asterisk Call Manager 11\r\n", &["error NotAsterisk"]);
}

const SMALL: Limits = Limits { banner: 64, line: 40, lines: 4, message: 100 };

/// A message that breaks a limit of [`SMALL`] gives one error, and the next message is read.
fn check_limit(message: &[u8], fault: Fault) {
    let mut stream = b"Event: Before\r\n\r\n".to_vec();
    stream.extend_from_slice(message);
    stream.extend_from_slice(b"Event: After\r\n\r\n");
    let expected = ["Event=Before", &format!("error {fault:?}"), "Event=After"];
    assert_eq!(decode(Decoder::without_banner(SMALL), &[&stream]), expected);
    for size in 1..stream.len() {
        let pieces: Vec<&[u8]> = stream.chunks(size).collect();
        assert_eq!(decode(Decoder::without_banner(SMALL), &pieces), expected, "pieces of {size}");
    }
}

#[test]
fn limits_skip_one_message_and_go_on() {
    check_limit(&[&[b'x'; 5000][..], b"\r\nMore: 1\r\n\r\n"].concat(), Fault::LineTooLong(40));
    check_limit(b"A: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\nA: 5\r\nA: 6\r\n\r\n", Fault::TooManyLines(4));
    let line = [&[b'y'; 34][..], b"\r\n"].concat();
    check_limit(&[&line[..], &line, &line, b"\r\n"].concat(), Fault::MessageTooLong(100));
}

#[test]
fn a_message_right_at_the_limits_passes() {
    let stream = [&[b'z'; 38][..], b"\r\nB: 1\r\nC: 2\r\nD: 3\r\n\r\n"].concat();
    let expected = [format!("={} B=1 C=2 D=3", "z".repeat(38))];
    for size in 1..=stream.len() {
        let pieces: Vec<&[u8]> = stream.chunks(size).collect();
        assert_eq!(decode(Decoder::without_banner(SMALL), &pieces), expected, "pieces of {size}");
    }
}

#[test]
fn too_much_command_output_is_skipped_to_its_end_mark() {
    let output = "Response: Follows\r\nEvent: Forged\n\nEvent: Forged\n\nEvent: Forged\n\n\
                  xxxxxxxxxxxxxxxxxxxxxxxxxxxx--END COMMAND--\r\n\r\n";
    check_limit(output.as_bytes(), Fault::TooManyLines(4));
    let output = format!("Response: Follows\r\n{}--END COMMAND--\r\n\r\n", "x".repeat(60));
    check_limit(output.as_bytes(), Fault::LineTooLong(40));
}

#[test]
fn an_error_names_the_action_that_lost_its_answer() {
    let mut decoder = Decoder::without_banner(SMALL);
    decoder.buffer().extend_from_slice(b"Response: Success\r\nactionid: a-7\r\n");
    decoder.buffer().extend_from_slice(&[b'\x1b'; 50]);
    let error = decoder.next().unwrap().unwrap_err();
    assert_eq!(error.action_id.as_deref(), Some("a-7"));
    insta::assert_snapshot!(error, @r"skipped a message with a line of more than 40 bytes: Response: Success\r\nactionid: a-7\r\n\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b");
    assert!(!error.is_fatal());
}

/// Sends `piece` over and over; how much the decoder holds at most, and what it said.
fn flood(mut decoder: Decoder, start: &[u8], piece: &[u8], times: usize) -> (usize, Vec<Fault>) {
    decoder.buffer().extend_from_slice(start);
    let (mut most, mut faults) = (0, Vec::new());
    for _ in 0..times {
        decoder.buffer().extend_from_slice(piece);
        faults.extend(decoder.by_ref().filter_map(Result::err).map(|error| error.fault));
        most = most.max(decoder.buffered());
    }
    (most, faults)
}

#[test]
fn floods_stay_bounded_and_are_told_once() {
    let limits = Limits { banner: 256, line: 4096, lines: 1000, message: 64 * 1024 };
    let check = |decoder: Decoder, start: &[u8], piece: &[u8], fault: Fault| {
        let (most, faults) = flood(decoder, start, piece, 20_000);
        assert_eq!(faults, [fault]);
        assert!(most <= limits.message + piece.len(), "{fault:?} held {most} bytes");
    };
    let messages = || Decoder::without_banner(limits);
    let endless_banner = b"Asterisk Call Manager/";
    check(Decoder::new(limits), endless_banner, &[b'1'; 1000], Fault::BannerTooLong(256));
    check(Decoder::new(limits), b"", &[0; 1000], Fault::NotAsterisk);
    check(messages(), b"", &[b'x'; 1000], Fault::LineTooLong(4096));
    check(messages(), b"Event: A\r\n", &[0; 1000], Fault::LineTooLong(4096));
    check(messages(), b"Event: A\r\n", b"A:\n", Fault::TooManyLines(1000));
    check(
        messages(),
        b"Event: A\r\n",
        &[&[b'x'; 999][..], b"\n"].concat(),
        Fault::MessageTooLong(65536),
    );
    check(messages(), b"Response: Follows\r\n", b"\n", Fault::TooManyLines(1000));
}

#[test]
fn blank_lines_without_end_are_dropped() {
    let (_, faults) = flood(Decoder::without_banner(SMALL), b"", b"\r\n\n", 1000);
    assert_eq!(faults, []);
    let mut decoder = Decoder::without_banner(SMALL);
    for _ in 0..1000 {
        decoder.buffer().extend_from_slice(b"\r\n\r\n");
        assert!(decoder.next().is_none());
    }
    assert!(decoder.buffered() <= SMALL.message, "{}", decoder.buffered());
}

#[test]
fn a_message_read_in_single_bytes_takes_linear_time() {
    // Were each byte a fresh start over two megabytes, this would take minutes.
    let mut decoder = Decoder::without_banner(Limits::default());
    let line = [&[b'x'; 1998][..], b"\r\n"].concat();
    for byte in std::iter::repeat_n(&line, 500).flatten() {
        decoder.buffer().extend_from_slice(&[*byte]);
        assert!(decoder.next().is_none());
    }
    decoder.buffer().extend_from_slice(b"\r\n");
    let Some(Ok(Frame::Message(message))) = decoder.next() else { panic!("no message") };
    assert_eq!(message.fields().count(), 500);
    assert_eq!(message.kind(), Kind::Other);
}

#[test]
fn the_buffer_always_has_room() {
    let mut decoder = Decoder::without_banner(Limits::default());
    let mut kept = Vec::new();
    for _ in 0..2000 {
        assert!(decoder.buffer().capacity() - decoder.buffered() >= LEAST_ROOM);
        decoder
            .buffer()
            .extend_from_slice(b"Event: Newchannel\r\nChannel: PJSIP/201-00000001\r\n\r\n");
        kept.extend(decoder.next());
    }
    assert_eq!(kept.len(), 2000);
}

prop_compose! {
    /// Pieces that make streams with every kind of end, mark and injection in them.
    fn any_stream()(pieces in prop::collection::vec(prop::sample::select(vec![
        &b"\r\n"[..], b"\n", b"\r", b"\r\n\r\n", b": ", b":", b" ", b"Event: A", b"Response: Follows",
        b"Response: Success", b"ActionID: x", b"--END COMMAND--", b"\0", b"\xff\xfe", b"xxxxxxxxxxxx",
        b"Privilege: Command\r\n", b"(", b"):",
    ]), 0..60)) -> Vec<u8> {
        pieces.concat()
    }
}

#[test]
fn keys_that_stand_together_are_looked_up_in_their_order() {
    let message = Message::parse(
        b"Event: DialBegin\r\nChannel: A\r\nUniqueid: 1\r\nX: \r\nLinkedid: 1\r\nY: 7\r\nZ: \r\n\
          V: \r\nW: \r\nU: \r\nDestChannel: B\r\nDestUniqueid: 2\r\nUniqueid: forged\r\n",
    )
    .unwrap();
    let mut at = message.lookup();
    let mut get = |key| at.get(Key::new(key));
    assert_eq!(
        [get("channel"), get("Uniqueid"), get("LinkedID")],
        [Some("A"), Some("1"), Some("1")]
    );
    assert_eq!(get("DestChannel"), Some("B"), "far behind");
    assert_eq!(get("DestUniqueid"), Some("2"));
    assert_eq!(get("Channel"), Some("A"), "before the place");
    assert_eq!(get("None"), None);
    assert_eq!(get("Uniqueid"), Some("1"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn any_cut_of_a_stream_decodes_the_same(
        stream in any_stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        small in any::<bool>(),
    ) {
        let limits = if small { SMALL } else { Limits::default() };
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&stream[from..cut]);
            from = cut;
        }
        pieces.push(&stream[from..]);
        let whole = decode(Decoder::without_banner(limits), &[&stream]);
        let cut = decode(Decoder::without_banner(limits), &pieces);
        prop_assert_eq!(whole, cut);
    }

    #[test]
    fn no_byte_of_a_message_is_lost(stream in any_stream()) {
        let mut decoder = Decoder::without_banner(Limits::default());
        decoder.buffer().extend_from_slice(&stream);
        let messages: Vec<Message> = decoder.by_ref().map(|frame| match frame {
            Ok(Frame::Message(message)) => message,
            other => panic!("{other:?}"),
        }).collect();
        let mut rest = &stream[..];
        for message in messages {
            let at = memchr::memmem::find(rest, message.as_bytes()).expect("a message of the stream");
            prop_assert!(rest[..at].iter().all(|byte| b"\r\n".contains(byte)), "skipped content");
            rest = &rest[at + message.as_bytes().len()..];
        }
        prop_assert!(rest.ends_with(decoder.buffer()));
    }

    #[test]
    fn lookup_agrees_with_the_fields(stream in any_stream(), key in "[A-Za-z:( ]{0,9}") {
        if let Ok(message) = Message::parse(&stream) {
            let first = message.fields().find(|(k, _)| k.eq_ignore_ascii_case(key.as_bytes()));
            prop_assert_eq!(message.get_bytes(&key), first.map(|(_, value)| value));
            for (k, _) in message.fields() {
                let Ok(k) = std::str::from_utf8(k) else { continue };
                let first = message.fields().find(|(o, _)| o.eq_ignore_ascii_case(k.as_bytes()));
                prop_assert_eq!(message.get_bytes(k), first.map(|(_, value)| value), "{}", k);
            }
        }
    }
}
