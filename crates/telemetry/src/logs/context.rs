//! The connector and task that a line is about, carried by the span in which it is written.

use std::fmt;

use tracing::{
    Event, Span, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{
    Layer,
    layer::Context as LayerContext,
    registry::{LookupSpan, SpanRef},
};

/// The span of the work for a connector: `[name|worker]`.
#[must_use]
pub fn connector_span(connector: &str) -> Span {
    let context = format!("{connector}|worker");
    tracing::error_span!("work", connector, context)
}

/// The span of a task: `[name|task-0]`.
#[must_use]
pub fn task_span(connector: &str, task: u32) -> Span {
    let context = format!("{connector}|task-{task}");
    tracing::error_span!("work", connector, context)
}

/// What a span says about the connector; kept with the span.
struct ConnectorContext(String);

/// Keeps what spans say about connectors, for the formats of this module.
pub struct ContextLayer;

struct FindContext(Option<String>);

impl Visit for FindContext {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "context" {
            self.0 = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

impl<S> Layer<S> for ContextLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: LayerContext<'_, S>) {
        let mut found = FindContext(None);
        attributes.record(&mut found);
        if let (Some(text), Some(span)) = (found.0, context.span(id)) {
            span.extensions_mut().insert(ConnectorContext(text));
        }
    }

    fn on_event(&self, _: &Event<'_>, _: LayerContext<'_, S>) {}
}

/// The context of the innermost span that has one.
pub(super) fn context_of<'a, S>(span: Option<SpanRef<'a, S>>) -> Option<String>
where
    S: for<'b> LookupSpan<'b>,
{
    span?.scope().find_map(|span| {
        let extensions = span.extensions();
        extensions
            .get::<ConnectorContext>()
            .map(|context| context.0.clone())
    })
}
