//! Spans: begun below another, filled, ended when dropped. Where no traces are wanted none of it does
//! anything, and a span is a null pointer.
//!
//! Nothing here hangs on a thread or a task: who begins a span hands [`Trace`] on within the process,
//! or the text of [`Span::traceparent`] over the bus and to plugins.

use super::{
    names::{Name, key},
    traceparent,
};
use opentelemetry::{
    Context, KeyValue, Value,
    trace::{Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _},
};
use opentelemetry_sdk::trace::SdkTracer;
use std::sync::Arc;
use telepulse_language::{Code, Refusal};

/// The longest text in a span, in bytes.
pub(super) const LONGEST: usize = 200;

/// Begins traces, or joins those of others. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tracer(pub(super) Option<SdkTracer>);

/// A span that other spans may be begun below. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace(Option<Arc<Place>>);

#[derive(Debug)]
struct Place {
    tracer: SdkTracer,
    context: SpanContext,
}

/// A span under way.
#[derive(Debug, Default)]
pub(crate) struct Span(Option<Box<UnderWay>>);

#[derive(Debug)]
struct UnderWay {
    tracer: SdkTracer,
    span: opentelemetry_sdk::trace::Span,
}

impl Tracer {
    /// Whether traces are wanted at all.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// What came in from outside; `parent` is the `traceparent` that came with it.
    pub(crate) fn arrived(&self, name: Name<'_>, parent: Option<&str>) -> Span {
        let Some(tracer) = &self.0 else { return Span::default() };
        let parent = parent.and_then(|text| traceparent::read(text, true));
        begin(tracer, name, SpanKind::Server, parent)
    }

    /// What the bus brought; without a `parent` there it is the first that is known of it.
    pub(crate) fn asked(&self, name: Name<'_>, parent: Option<&str>) -> Span {
        let Some(tracer) = &self.0 else { return Span::default() };
        let parent = parent.and_then(|text| traceparent::read(text, false));
        let kind = if parent.is_some() { SpanKind::Internal } else { SpanKind::Server };
        begin(tracer, name, kind, parent)
    }
}

impl Trace {
    /// Work of our own.
    pub(crate) fn step(&self, name: Name<'_>) -> Span {
        self.below(name, SpanKind::Internal)
    }

    /// Work that another is asked to do.
    pub(crate) fn call(&self, name: Name<'_>) -> Span {
        self.below(name, SpanKind::Client)
    }

    fn below(&self, name: Name<'_>, kind: SpanKind) -> Span {
        let Some(place) = &self.0 else { return Span::default() };
        begin(&place.tracer, name, kind, Some(place.context.clone()))
    }
}

fn begin(tracer: &SdkTracer, name: Name<'_>, kind: SpanKind, parent: Option<SpanContext>) -> Span {
    let context = Context::new();
    let context = parent.map_or(context.clone(), |it| context.with_remote_span_context(it));
    let builder = SpanBuilder::from_name(name.to_string()).with_kind(kind);
    let span = builder.start_with_context(tracer, &context);
    Span(Some(Box::new(UnderWay { tracer: tracer.clone(), span })))
}

/// A value of bounded length: clients write some of them.
fn cut(value: Value) -> Value {
    match value {
        Value::String(text) if text.as_str().len() > LONGEST => {
            start(text.as_str()).to_owned().into()
        }
        value => value,
    }
}

fn start(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}

impl Span {
    /// Where spans below this one begin.
    pub(crate) fn trace(&self) -> Trace {
        Trace(self.0.as_ref().map(|it| {
            let context = it.span.span_context().clone();
            Arc::new(Place { tracer: it.tracer.clone(), context })
        }))
    }

    /// The same as text, for whom only text reaches.
    pub(crate) fn traceparent(&self) -> Option<String> {
        self.0.as_ref().map(|it| traceparent::write(it.span.span_context()))
    }

    /// Whether anybody will see it.
    pub(crate) fn is_seen(&self) -> bool {
        self.0.as_ref().is_some_and(|it| it.span.is_recording())
    }

    /// Says something in it.
    pub(crate) fn say(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(it) = &mut self.0 {
            it.span.set_attribute(KeyValue::new(key, cut(value.into())));
        }
    }

    /// The same, where it costs something to find out.
    pub(crate) fn say_with<V: Into<Value>>(
        &mut self,
        key: &'static str,
        value: impl FnOnce() -> Option<V>,
    ) {
        if self.is_seen()
            && let Some(value) = value()
        {
            self.say(key, value);
        }
    }

    /// It has failed: in one word, and for people.
    pub(crate) fn fail<V: Into<Value>>(&mut self, word: impl FnOnce() -> V, why: &str) {
        if let Some(it) = &mut self.0
            && it.span.is_recording()
        {
            it.span.set_attribute(KeyValue::new(key::ERROR, cut(word().into())));
            it.span.set_status(Status::error(start(why).to_owned()));
        }
    }

    /// The same in the language's words.
    pub(crate) fn refuse(&mut self, refusal: &Refusal) {
        self.fail(|| refusal.code.word(), &refusal.message);
    }

    /// Does a part of its work. Where that is broken off, by a deadline or because nobody waits for it any
    /// more, the span has failed.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut unfinished = Unfinished(Some(self));
        let done = work.await;
        unfinished.0 = None;
        done
    }
}

/// Says of a span, when it is dropped, that its work was not done.
struct Unfinished<'s>(Option<&'s mut Span>);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(span) = self.0.take() {
            span.fail(|| Code::UnknownOutcome.word(), "broken off before it was done");
        }
    }
}
