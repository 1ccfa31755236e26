//! The tokeniser of `Values.parseString`: single-character delimiters, escapes kept (spec 1.7.1).

/// Walks over the tokens of a text with one token of look-ahead, as Java's parser does; positions
/// are byte offsets.
pub(super) struct Tokens<'t> {
    text: &'t str,
    at: usize,
    next: Option<&'t str>,
}

/// Java's `String.trim`: control characters and space.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

impl<'t> Tokens<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            next: None,
        }
    }

    pub(super) fn original(&self) -> &'t str {
        self.text
    }

    pub(super) fn has_next(&self) -> bool {
        self.next.is_some() || self.at < self.text.len()
    }

    pub(super) fn mark(&self) -> usize {
        self.at - self.next.map_or(0, str::len)
    }

    pub(super) fn rewind(&mut self, position: usize) {
        self.at = position;
        self.next = None;
    }

    /// The next token; empty at the end.
    pub(super) fn next(&mut self) -> &'t str {
        match self.next.take() {
            Some(token) => token,
            None => self.read(),
        }
    }

    /// The text of the next `count` tokens, or nothing (and no move) when there are fewer.
    pub(super) fn next_tokens(&mut self, count: usize) -> Option<&'t str> {
        let start = self.mark();
        for _ in 0..count {
            if !self.has_next() {
                self.rewind(start);
                return None;
            }
            self.next();
        }
        self.text.get(start..self.at)
    }

    /// Consumes the next token if it is this one; blank tokens in front are skipped for good and the
    /// token is trimmed.
    pub(super) fn consume(&mut self, expected: &str) -> bool {
        self.look_ahead() && self.consume_if(|token| trim(token) == expected)
    }

    /// Consumes the next token if it is exactly this one; blank tokens in front are lost all the same,
    /// as in Java.
    pub(super) fn consume_exact(&mut self, expected: &str) -> bool {
        self.look_ahead() && self.consume_if(|token| token == expected)
    }

    /// Fills the look-ahead with the next token that is not blank, or the last.
    fn look_ahead(&mut self) -> bool {
        if self.next.is_none() {
            if !self.has_next() {
                return false;
            }
            self.next = Some(self.read());
        }
        while self.next.is_some_and(|token| trim(token).is_empty()) && self.at < self.text.len() {
            self.next = Some(self.read());
        }
        true
    }

    fn consume_if(&mut self, matches: impl Fn(&str) -> bool) -> bool {
        let found = self.next.is_some_and(matches);
        if found {
            self.next = None;
        }
        found
    }

    fn read(&mut self) -> &'t str {
        let start = self.at;
        let rest = self.text.get(start..).unwrap_or_default();
        let mut escaped = false;
        for (offset, byte) in rest.bytes().enumerate() {
            match byte {
                b'\\' => escaped = !escaped,
                b':' | b',' | b'{' | b'}' | b'[' | b']' | b'"' if !escaped => {
                    let length = offset.max(1);
                    self.at = start + length;
                    return rest.get(..length).unwrap_or_default();
                }
                _ => escaped = false,
            }
        }
        self.at = self.text.len();
        rest
    }
}
