//! The bytes of the cases: what goes in.

use std::{fmt::Write as _, fs, io::Write as _, path::Path};

use anyhow::Result;
use bytes::Bytes;

/// Bytes of a line, as in Java's own producer benchmarks' small records.
const LINE: usize = 200;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A line of 200 bytes.
    Line,
    /// A JSON object of five members.
    Json,
    /// The same with its schema (an envelope).
    Envelope,
}

/// One record.
pub(crate) fn record(content: Content, n: u64) -> Bytes {
    let mut text = String::with_capacity(LINE * 3);
    let payload = |text: &mut String| {
        // A string cannot refuse a write.
        let _ = write!(
            text,
            r#"{{"id":{n},"name":"customer-{n}","amount":{}.25,"active":{},"at":1700000{:06}}}"#,
            n % 1000,
            n.is_multiple_of(2),
            n % 1_000_000
        );
    };
    match content {
        Content::Line => {
            let _ = write!(text, "{n:010} ");
            while text.len() < LINE {
                text.push('x');
            }
        }
        Content::Json => payload(&mut text),
        Content::Envelope => {
            text.push_str(
                r#"{"schema":{"type":"struct","optional":false,"name":"customer","fields":[{"field":"id","type":"int64","optional":false},{"field":"name","type":"string","optional":true},{"field":"amount","type":"double","optional":false},{"field":"active","type":"boolean","optional":false},{"field":"at","type":"int64","optional":false}]},"payload":"#,
            );
            payload(&mut text);
            text.push('}');
        }
    }
    text.into()
}

/// A file of lines; answers its size.
pub(crate) fn file(path: &Path, records: u64) -> Result<u64> {
    let mut out = std::io::BufWriter::with_capacity(1 << 20, fs::File::create(path)?);
    for n in 0..records {
        out.write_all(&record(Content::Line, n))?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(fs::metadata(path)?.len())
}
