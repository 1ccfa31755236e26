//! Splits a stream of bytes into lines ended by `\n`, `\r` or `\r\n`.
//!
//! An unfinished last line is held back, and so is a trailing `\r` until the next byte tells whether a
//! `\n` belongs to it. The lines of a batch share a buffer.

use std::{collections::VecDeque, io};

use bytes::Bytes;
use milena_data::Text;

/// A line without its end, and how many bytes of the stream it took with its end. Bytes that are not UTF-8 are U+FFFD in
/// it, as Java's reader makes them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: Text,
    pub(crate) taken: u64,
}

/// A buffer that grew beyond this is not kept when it is empty.
const KEPT_MAX: usize = 512 * 1024;

/// Where the text of a line ends, and where the next line begins.
type Ends = (usize, usize);

/// The bytes that were read but not yet given as lines.
#[derive(Debug, Default)]
pub(crate) struct LineBuffer {
    bytes: Vec<u8>,
    /// So many at the front were given as lines.
    given: usize,
    /// The finished lines, in order, that were not given.
    found: VecDeque<Ends>,
    /// So many at the front are known to hold no other end of a line, so that nothing is searched twice.
    searched: usize,
}

impl LineBuffer {
    /// Adds bytes of the stream.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds what a reader gives at once, at most so many bytes; answers how many came. A pipe gives what it has: one is not
    /// asked until it gave all that would fit.
    pub(crate) fn read_from(&mut self, mut reader: impl io::Read, max: usize) -> io::Result<usize> {
        let given = self.given;
        if given > 0 {
            self.bytes.drain(..given);
            self.moved_by(given);
        }
        let before = self.bytes.len();
        // No more room than that, for a buffer is given away when it is half full; but a line without an end is not to be
        // copied with every read.
        match before < max {
            true => self.bytes.reserve_exact(max),
            false => self.bytes.reserve(max),
        }
        self.bytes.resize(before + max, 0);
        let outcome = loop {
            match reader.read(self.bytes.get_mut(before..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome,
            }
        };
        self.bytes
            .truncate(before + outcome.as_ref().copied().unwrap_or_default());
        outcome
    }

    /// So many bytes at the front, at least those that were given, are there no more.
    fn moved_by(&mut self, bytes: usize) {
        self.given = 0;
        self.searched = self.searched.saturating_sub(bytes);
        for (stop, next) in &mut self.found {
            *stop -= bytes;
            *next -= bytes;
        }
    }

    /// How many finished lines there are; it looks for no more than `max`.
    pub(crate) fn finished(&mut self, max: usize) -> usize {
        while self.found.len() < max {
            match find_end(&self.bytes, self.searched.max(self.given)) {
                Ok(ends) => {
                    self.searched = ends.1;
                    self.found.push_back(ends);
                }
                Err(searched) => {
                    self.searched = searched;
                    break;
                }
            }
        }
        self.found.len()
    }

    /// Takes up to `max` finished lines off the front.
    pub(crate) fn take(&mut self, max: usize, mut each: impl FnMut(Line)) {
        let count = self.finished(max).min(max);
        let Some((_, end)) = count.checked_sub(1).and_then(|last| self.found.get(last)) else {
            return;
        };
        let (mut start, end) = (self.given, *end);
        // The bytes of a batch are in a buffer of its own: the holders of lines are counted on the threads of those that have
        // them, and to count those of all batches together on several threads is slow. When they fill this one it is given
        // away, else they are copied.
        let lines = self.bytes.get(start..end).unwrap_or_default();
        let behind = self.bytes.get(end..).unwrap_or_default();
        let is_filled = lines.len() >= behind.len() && lines.len() >= self.bytes.capacity() / 2;
        let (block, first) = if is_filled {
            let mut rest = Vec::with_capacity(self.bytes.capacity());
            rest.extend_from_slice(behind);
            let mut block = std::mem::replace(&mut self.bytes, rest);
            block.truncate(end);
            (Bytes::from(block), 0)
        } else {
            (Bytes::copy_from_slice(lines), start)
        };
        // They are looked at once for all lines; only a block that is no text is taken line by line.
        let whole = Text::try_from(block.clone()).ok();
        for (stop, next) in self.found.drain(..count) {
            let (from, to) = (start - first, stop - first);
            let text = match &whole {
                Some(whole) => whole.get(from..to).map(|line| whole.slice_ref(line)),
                None => Some(decode(block.slice(from..to))),
            };
            each(Line {
                text: text.unwrap_or_default(),
                taken: (next - start) as u64,
            });
            start = next;
        }
        if is_filled {
            self.moved_by(end);
        } else if end < self.bytes.len() {
            self.given = end;
        } else {
            self.bytes.clear();
            self.moved_by(end);
            if self.bytes.capacity() > KEPT_MAX {
                self.bytes = Vec::new();
            }
        }
    }

    /// Takes what is left as a last line, when the stream has ended for good.
    pub(crate) fn take_rest(&mut self) -> Option<Line> {
        let all = std::mem::take(self);
        let mut text = Bytes::from(all.bytes).split_off(all.given);
        if text.is_empty() {
            return None;
        }
        let taken = text.len() as u64;
        if text.last() == Some(&b'\r') {
            text.truncate(text.len() - 1);
        }
        let text = decode(text);
        Some(Line { text, taken })
    }
}

fn decode(bytes: Bytes) -> Text {
    Text::try_from(bytes.clone())
        .unwrap_or_else(|_| Text::from(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The next end of a line; else up to where there is none. A `\r` at the end must be looked at again together with the byte
/// behind it.
fn find_end(bytes: &[u8], from: usize) -> Result<Ends, usize> {
    let rest = bytes.get(from..).unwrap_or_default();
    let Some(stop) = memchr::memchr2(b'\n', b'\r', rest).map(|at| from + at) else {
        return Err(bytes.len());
    };
    match (bytes.get(stop), bytes.get(stop + 1)) {
        (Some(b'\n'), _) => Ok((stop, stop + 1)),
        (_, Some(b'\n')) => Ok((stop, stop + 2)),
        (_, Some(_)) => Ok((stop, stop + 1)),
        (_, None) => Err(stop),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::LineBuffer;

    fn held(buffer: &LineBuffer) -> usize {
        buffer.bytes.len() - buffer.given
    }

    fn lines(buffer: &mut LineBuffer) -> Vec<(String, u64)> {
        let mut lines = Vec::new();
        buffer.take(usize::MAX, |l| lines.push((l.text.to_string(), l.taken)));
        lines
    }

    #[test]
    fn every_line_end_is_understood_and_counted() {
        let mut buffer = LineBuffer::default();
        buffer.extend(b"a\nbb\r\nccc\rd");
        let expected = [("a", 2), ("bb", 4), ("ccc", 4)].map(|(t, n)| (t.to_owned(), n));
        assert_eq!(lines(&mut buffer), expected);
        assert_eq!(held(&buffer), 1);
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
    fn lines_are_the_same_however_many_are_read_and_taken_at_once() {
        let stream: Vec<u8> = (0..200u32)
            .flat_map(|n| {
                "x".repeat(n as usize % 17)
                    .into_bytes()
                    .into_iter()
                    .chain(*b"\r\n")
            })
            .collect();
        let mut whole = LineBuffer::default();
        whole.extend(&stream);
        let expected = lines(&mut whole);
        assert_eq!(expected.len(), 200);
        for (read, max) in [(1, 1), (7, 3), (64, 1), (64, 5), (1000, 7), (5000, 200)] {
            let (mut buffer, mut from, mut found) =
                (LineBuffer::default(), &stream[..], Vec::new());
            while found.len() < 200 {
                if buffer.finished(max) < max {
                    buffer.read_from(&mut from, read).unwrap();
                }
                let before = (held(&buffer), found.len());
                buffer.take(max, |l| found.push((l.text.to_string(), l.taken)));
                let taken: u64 = found[before.1..].iter().map(|(_, taken)| taken).sum();
                assert_eq!(held(&buffer) as u64, before.0 as u64 - taken);
                assert!(found.len() <= before.1 + max);
            }
            assert_eq!(found, expected, "{read} bytes, {max} lines");
            assert_eq!(held(&buffer), 0);
        }
    }

    #[test]
    fn what_a_pipe_gives_is_there_at_once() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"one\ntwo\nthr").unwrap();
        let mut buffer = LineBuffer::default();
        // The writer keeps the pipe open: to wait for more would be for ever.
        assert_eq!(buffer.read_from(&reader, 100_000).unwrap(), 11);
        assert_eq!(buffer.finished(10), 2);
        drop(writer);
        assert_eq!(buffer.read_from(&reader, 100_000).unwrap(), 0);
        assert_eq!(held(&buffer), 11);
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
