//! Lines for people: time, level, `[connector|task]`, module, message and fields.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

use super::context::context_of;

/// The format.
pub struct TextLines;

/// The colour of a level on a terminal.
fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}

impl<S, N> FormatEvent<S, N> for TextLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = *event.metadata().level();
        SystemTime.format_time(&mut writer)?;
        if writer.has_ansi_escapes() {
            write!(writer, " \u{1b}[{}m{level:>5}\u{1b}[0m ", colour(level))?;
        } else {
            write!(writer, " {level:>5} ")?;
        }
        let span = context.parent_span().or_else(|| context.lookup_current());
        if let Some(context) = context_of(span) {
            writer.write_char('[')?;
            escaped(&mut writer, &context, false)?;
            writer.write_str("] ")?;
        }
        write!(writer, "{}: ", event.metadata().target())?;
        let ansi = writer.has_ansi_escapes();
        let mut fields = String::new();
        let into = Writer::new(&mut fields);
        context.format_fields(into, event)?;
        escaped(&mut writer, &fields, ansi)?;
        writeln!(writer)
    }
}

/// Writes text on one line, whatever it holds.
fn escaped(writer: &mut Writer<'_>, text: &str, keep_colours: bool) -> fmt::Result {
    for c in text.chars() {
        match c {
            '\t' => writer.write_char(c)?,
            '\u{1b}' if keep_colours => writer.write_char(c)?,
            c if c.is_control() => write!(writer, "{}", c.escape_default())?,
            c => writer.write_char(c)?,
        }
    }
    Ok(())
}
