//! Splits a stream of bytes into lines ended by `\n`, `\r` or `\r\n`.
//!
//! An unfinished last line is held back, and so is a trailing `\r` until the next byte tells whether a
//! `\n` belongs to it. The lines of a batch share a buffer.

use bytes::{Buf as _, Bytes, BytesMut};
use milena_data::Text;

/// A line without its end, and how many bytes of the stream it took with its end. Bytes that are not UTF-8 are U+FFFD in
/// it, as Java's reader makes them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: Text,
    pub(crate) taken: u64,
}

/// The bytes that were read but not yet given as lines.
#[derive(Debug, Default)]
pub(crate) struct LineBuffer {
    unread: BytesMut,
    /// Bytes at the front that are known to hold no line end, so that a long unfinished line is not
    /// searched again with every read.
    searched: usize,
}

impl LineBuffer {
    /// Adds bytes of the stream.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// How many bytes are held back.
    pub(crate) fn len(&self) -> usize {
        self.unread.len()
    }

    /// Takes up to `max` finished lines off the front.
    pub(crate) fn take(&mut self, max: usize) -> Vec<Line> {
        let mut ends = Vec::new();
        let mut from = 0;
        while ends.len() < max {
            let Some(end) = find_end(&self.unread, from.max(self.searched)) else {
                self.searched = self.unread.len();
                break;
            };
            ends.push((from, end));
            from = end.1;
            self.searched = from;
        }
        // A buffer of the batch's own: the holders of lines are counted on the threads of those that have them, and to count
        // those of all batches together on several threads is slower than to copy.
        let block = Bytes::copy_from_slice(self.unread.get(..from).unwrap_or_default());
        self.unread.advance(from);
        self.searched = self.searched.saturating_sub(from);
        if self.unread.last() == Some(&b'\r') {
            // The trailing \r must be looked at again together with the byte after it.
            self.searched = self.searched.min(self.unread.len() - 1);
        }
        // The bytes are looked at once for all lines; only a block that is no text is taken line by line.
        let whole = Text::try_from(block.clone()).ok();
        let text = |start: usize, stop: usize| match &whole {
            Some(whole) => match whole.get(start..stop) {
                Some(line) => whole.slice_ref(line),
                None => Text::new(),
            },
            None => decode(block.slice(start..stop)),
        };
        ends.into_iter()
            .map(|(start, (stop, next))| Line {
                text: text(start, stop),
                taken: (next - start) as u64,
            })
            .collect()
    }

    /// Takes what is left as a last line, when the stream has ended for good.
    pub(crate) fn take_rest(&mut self) -> Option<Line> {
        if self.unread.is_empty() {
            return None;
        }
        let taken = self.unread.len() as u64;
        let mut text = self.unread.split().freeze();
        if text.last() == Some(&b'\r') {
            text.truncate(text.len() - 1);
        }
        self.searched = 0;
        let text = decode(text);
        Some(Line { text, taken })
    }
}

fn decode(bytes: Bytes) -> Text {
    Text::try_from(bytes.clone())
        .unwrap_or_else(|_| Text::from(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The end of the line text and the start of the next line, when a whole line end is there.
fn find_end(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let at = from + memchr::memchr2(b'\n', b'\r', bytes.get(from..)?)?;
    match (bytes.get(at), bytes.get(at + 1)) {
        (Some(b'\n'), _) => Some((at, at + 1)),
        (_, Some(b'\n')) => Some((at, at + 2)),
        (_, Some(_)) => Some((at, at + 1)),
        (_, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::LineBuffer;

    fn lines(buffer: &mut LineBuffer) -> Vec<(String, u64)> {
        buffer
            .take(usize::MAX)
            .iter()
            .map(|l| (l.text.to_string(), l.taken))
            .collect()
    }

    #[test]
    fn every_line_end_is_understood_and_counted() {
        let mut buffer = LineBuffer::default();
        buffer.extend(b"a\nbb\r\nccc\rd");
        let expected = [("a", 2), ("bb", 4), ("ccc", 4)].map(|(t, n)| (t.to_owned(), n));
        assert_eq!(lines(&mut buffer), expected);
        assert_eq!(buffer.len(), 1);
        buffer.extend(b"\n");
        assert_eq!(lines(&mut buffer), [("d".to_owned(), 2)]);
    }

    #[test]
    fn a_trailing_carriage_return_waits_for_the_next_byte() {
        let mut buffer = LineBuffer::default();
        buffer.extend(b"a\r");
        assert_eq!(lines(&mut buffer), []);
        buffer.extend(b"\nb\r");
        assert_eq!(lines(&mut buffer), [("a".to_owned(), 3)]);
        buffer.extend(b"c\n");
        assert_eq!(
            lines(&mut buffer),
            [("b".to_owned(), 2), ("c".to_owned(), 2)]
        );
    }

    #[test]
    fn a_line_that_is_no_text_does_not_spoil_its_neighbours() {
        let mut buffer = LineBuffer::default();
        buffer.extend(b"\xc3\xa4\n\xff!\nb\n");
        let expected = [("\u{e4}", 3), ("\u{fffd}!", 3), ("b", 2)];
        assert_eq!(lines(&mut buffer), expected.map(|(t, n)| (t.to_owned(), n)));
    }

    #[test]
    fn any_cut_of_the_stream_gives_the_same_lines() {
        let stream = b"one\r\n\r\n\rtwo\n\nthree\r\r\nfour\n";
        let mut whole = LineBuffer::default();
        whole.extend(stream);
        let expected = lines(&mut whole);
        for cut in 0..stream.len() {
            let mut buffer = LineBuffer::default();
            buffer.extend(&stream[..cut]);
            let mut found = lines(&mut buffer);
            buffer.extend(&stream[cut..]);
            found.extend(lines(&mut buffer));
            assert_eq!(found, expected, "cut at {cut}");
        }
    }
}
