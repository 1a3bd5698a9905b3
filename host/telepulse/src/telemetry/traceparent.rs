//! The header `traceparent` of W3C Trace Context: which span is above, as text.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// Reads one; what is not well formed is as good as none, as the specification has it.
pub(super) fn read(text: &str, is_remote: bool) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let version = hex(parts.next()?, 2)?;
    let trace = TraceId::from_hex(hex(parts.next()?, 32)?).ok()?;
    let span = SpanId::from_hex(hex(parts.next()?, 16)?).ok()?;
    let flags = u8::from_str_radix(hex(parts.next()?, 2)?, 16).ok()?;
    // Later versions may have more parts; this one has not, and `ff` is none.
    if version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let flags = TraceFlags::new(flags) & TraceFlags::SAMPLED;
    let context = SpanContext::new(trace, span, flags, is_remote, TraceState::default());
    context.is_valid().then_some(context)
}

/// Writes one.
pub(super) fn write(context: &SpanContext) -> String {
    let flags = context.trace_flags().to_u8();
    format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id())
}

/// So many hexadecimal digits, small ones.
fn hex(text: &str, digits: usize) -> Option<&str> {
    let good = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == digits && text.bytes().all(good)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_is_read_is_written() {
        let context = read(GOOD, true).unwrap();
        assert!(context.is_remote() && context.is_sampled());
        assert_eq!(write(&context), GOOD);
        let unsampled = GOOD.replace("-01", "-00");
        assert_eq!(write(&read(&unsampled, false).unwrap()), unsampled);
        let later = format!("cc{}-more", &GOOD[2..]);
        assert_eq!(write(&read(&later, true).unwrap()), GOOD);
    }

    #[test]
    fn what_is_malformed_is_none() {
        let zeros = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        let nobody = "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01";
        let (more, plus) = (format!("{GOOD}-x"), GOOD.replace("0af7", "+af7"));
        let (never, large) = (format!("ff{}", &GOOD[2..]), GOOD.to_uppercase());
        for bad in ["", "x", &GOOD[..54], zeros, nobody, &more, &plus, &never, &large] {
            assert_eq!(read(bad, true), None, "{bad}");
        }
    }
}
