//! What both sides answer to a case: the text of a result or of an error with its causes.

use milena_api::ConnectError;

/// An error as the Java side writes it.
#[must_use]
pub fn error_text(error: &ConnectError) -> String {
    let mut out = String::from("!");
    let mut current = Some(error);
    while let Some(error) = current {
        out.push_str(&error.class);
        out.push('|');
        let message = error.message.as_deref().unwrap_or("null");
        out.push_str(&message.replace('\n', "\\n").replace('\r', "\\r"));
        out.push('|');
        current = error.cause.as_deref();
    }
    out
}

/// A result as the Java side writes it; the identity of byte arrays is left out.
#[must_use]
pub fn answer(result: Result<String, ConnectError>) -> String {
    let text = result.unwrap_or_else(|error| error_text(&error));
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("[B@") {
        out.push_str(before);
        out.push_str("[B@");
        rest = after.trim_start_matches(|c: char| c.is_ascii_hexdigit());
    }
    out.push_str(rest);
    out
}
