//! Parses Java's dialect and writes the engine's. Groups are written without names (names are kept
//! beside), literals as code points, and what depends on Java's line ends as look-around.

use super::{PatternSyntaxError, class, properties};

/// Groups may nest this deep; Java overflows its stack somewhere beyond.
const DEPTH_MAX: usize = 200;

/// A counted repetition may go this high: beyond, the compiled form explodes.
const REPEAT_MAX: u32 = 100_000;

/// Which text a program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// Text without line ends.
    Plain,
    /// Any text.
    Exact,
}

/// A pattern in the engine's dialect.
#[derive(Debug)]
pub(super) struct Translated {
    plain: String,
    exact: String,
    pub(super) group_count: usize,
    pub(super) names: Vec<(String, usize)>,
}

impl Translated {
    pub(super) fn text(&self, ends: Ends) -> &str {
        match ends {
            Ends::Plain => &self.plain,
            Ends::Exact => &self.exact,
        }
    }

    pub(super) fn is_same_for_all_text(&self) -> bool {
        self.plain == self.exact
    }
}

/// Java's flags that change what is written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    pub(super) ignore_case: bool,
    pub(super) unicode_case: bool,
    pub(super) unicode_class: bool,
    multiline: bool,
    dot_all: bool,
    unix_lines: bool,
    pub(super) comments: bool,
}

pub(super) struct Parser {
    pattern: String,
    pub(super) chars: Vec<char>,
    pub(super) at: usize,
    pub(super) flags: Flags,
    ends: Ends,
    groups: usize,
    groups_total: usize,
    names: Vec<(String, usize)>,
    depth: usize,
}

pub(super) type Parsed<T> = Result<T, PatternSyntaxError>;

const LINE_ENDS: &str = r"\x{a}\x{d}\x{85}\x{2028}\x{2029}";

pub(super) fn translate(pattern: &str) -> Parsed<Translated> {
    let mut first = Parser::new(pattern, Ends::Exact, 0);
    first.all()?;
    let total = first.groups;
    let mut exact = Parser::new(pattern, Ends::Exact, total);
    let exact_text = exact.all()?;
    let plain = Parser::new(pattern, Ends::Plain, total).all()?;
    Ok(Translated {
        plain,
        exact: exact_text,
        group_count: exact.groups,
        names: exact.names,
    })
}

impl Parser {
    fn new(pattern: &str, ends: Ends, groups_total: usize) -> Self {
        Self {
            pattern: pattern.to_owned(),
            chars: unquoted(pattern),
            at: 0,
            flags: Flags::default(),
            ends,
            groups: 0,
            groups_total,
            names: Vec::new(),
            depth: 0,
        }
    }

    /// An error at a place counted as Java does: the cursor less one.
    pub(super) fn error<T>(&self, description: impl Into<String>, cursor: usize) -> Parsed<T> {
        Err(PatternSyntaxError {
            description: description.into(),
            index: cursor.checked_sub(1),
            pattern: self.pattern.clone(),
        })
    }

    pub(super) fn look(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    /// The next significant character: comments are skipped where they are on.
    pub(super) fn peek(&mut self) -> Option<char> {
        while self.flags.comments {
            match self.look(0) {
                Some(c) if c.is_ascii_whitespace() || c == '\u{b}' => self.at += 1,
                Some('#') => {
                    while self.look(0).is_some_and(|c| c != '\n' && c != '\r') {
                        self.at += 1;
                    }
                }
                _ => break,
            }
        }
        self.look(0)
    }

    fn all(&mut self) -> Parsed<String> {
        let text = self.alternatives()?;
        if self.at < self.chars.len() {
            return self.error("Unmatched closing ')'", self.at);
        }
        Ok(text)
    }

    fn alternatives(&mut self) -> Parsed<String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.error("Pattern nests too deep", self.at);
        }
        let mut out = String::new();
        loop {
            self.sequence(&mut out)?;
            if self.peek() != Some('|') {
                break;
            }
            self.at += 1;
            out.push('|');
        }
        self.depth -= 1;
        Ok(out)
    }

    fn sequence(&mut self, out: &mut String) -> Parsed<()> {
        while let Some(c) = self.peek() {
            if matches!(c, '|' | ')') {
                break;
            }
            let Some(atom) = self.atom(c)? else { continue };
            self.quantified(&atom, out)?;
        }
        Ok(())
    }

    /// One atom, complete in itself; `None`: nothing that could be repeated (a switch of flags).
    fn atom(&mut self, c: char) -> Parsed<Option<String>> {
        match c {
            '*' | '+' | '?' => {
                return self.error(format!("Dangling meta character '{c}'"), self.at + 1);
            }
            // A repetition of nothing.
            '{' => return Ok(Some(String::new())),
            '(' => return self.group(),
            _ => {}
        }
        self.at += 1;
        let text = match c {
            '[' => class::bracketed(self)?,
            '.' => self.dot().to_owned(),
            '^' => self.caret(),
            '$' => self.dollar(),
            '\\' => self.escape()?,
            literal => self.literal(literal),
        };
        Ok(Some(text))
    }

    fn quantified(&mut self, atom: &str, out: &mut String) -> Parsed<()> {
        let quantifier = match self.peek() {
            Some('?') => "?".to_owned(),
            Some('*') => "*".to_owned(),
            Some('+') => "+".to_owned(),
            Some('{') => self.counted()?,
            _ => {
                out.push_str(atom);
                return Ok(());
            }
        };
        if !quantifier.starts_with('{') {
            self.at += 1;
        }
        let mode = match self.peek() {
            Some(mode @ ('+' | '?')) => {
                self.at += 1;
                Some(mode)
            }
            _ => None,
        };
        if is_zero_width(atom) {
            repeat_nothing(atom, &quantifier, mode, out);
            return Ok(());
        }
        match mode {
            Some('+') => out.push_str(&format!("(?>(?:{atom}){quantifier})")),
            Some(_) => out.push_str(&format!("(?:{atom}){quantifier}?")),
            None => out.push_str(&format!("(?:{atom}){quantifier}")),
        }
        Ok(())
    }

    fn counted(&mut self) -> Parsed<String> {
        if !self.look(1).is_some_and(|c| c.is_ascii_digit()) {
            return self.error("Illegal repetition", self.at + 2);
        }
        self.at += 1;
        let least = self.number()?;
        let mut most = Some(least);
        if self.look(0) == Some(',') {
            self.at += 1;
            most = match self.look(0) {
                Some(c) if c.is_ascii_digit() => Some(self.number()?),
                _ => None,
            };
        }
        if self.look(0) != Some('}') {
            return self.error("Unclosed counted closure", self.at + 1);
        }
        if most.is_some_and(|most| most < least) {
            return self.error("Illegal repetition range", self.at + 1);
        }
        self.at += 1;
        Ok(match most {
            Some(most) if most == least => format!("{{{least}}}"),
            Some(most) => format!("{{{least},{most}}}"),
            None => format!("{{{least},}}"),
        })
    }

    fn number(&mut self) -> Parsed<u32> {
        let mut number = 0_u32;
        while let Some(digit) = self.look(0).and_then(|c| c.to_digit(10)) {
            number = number.saturating_mul(10).saturating_add(digit);
            self.at += 1;
        }
        if number > REPEAT_MAX {
            return self.error("Illegal repetition range", self.at + 1);
        }
        Ok(number)
    }

    fn group(&mut self) -> Parsed<Option<String>> {
        let outer = self.flags;
        self.at += 1;
        let open = if self.look(0) == Some('?') {
            self.at += 1;
            match self.special_group()? {
                Some(open) => open,
                None => return Ok(None),
            }
        } else {
            self.groups += 1;
            "(".to_owned()
        };
        let inner = self.alternatives()?;
        if self.peek() != Some(')') {
            return self.error("Unclosed group", self.at + 1);
        }
        self.at += 1;
        self.flags = outer;
        Ok(Some(format!("{open}{inner})")))
    }

    /// What stands after `(?`; `None` for flags without a group.
    fn special_group(&mut self) -> Parsed<Option<String>> {
        let kind = self.look(0);
        self.at += 1;
        Ok(Some(match kind {
            Some(':') => "(?:".to_owned(),
            Some('>') => "(?>".to_owned(),
            Some('=') => "(?=".to_owned(),
            Some('!') => "(?!".to_owned(),
            Some('<') => {
                let next = self.look(0);
                if next.is_some_and(|c| c != '=' && c != '!') {
                    self.group_name()?
                } else {
                    self.at += 1;
                    match next {
                        Some('=') => "(?<=".to_owned(),
                        Some('!') => "(?<!".to_owned(),
                        _ => return self.error("Unknown look-behind group", self.at),
                    }
                }
            }
            Some('$' | '@') => return self.error("Unknown group type", self.at),
            _ => {
                self.at -= 1;
                self.switch_flags()?;
                match self.look(0) {
                    Some(')') => {
                        self.at += 1;
                        return Ok(None);
                    }
                    Some(':') => {
                        self.at += 1;
                        "(?:".to_owned()
                    }
                    _ => return self.error("Unknown inline modifier", self.at + 1),
                }
            }
        }))
    }

    fn group_name(&mut self) -> Parsed<String> {
        let name = self.name('>')?;
        if self.names.iter().any(|(own, _)| *own == name) {
            let text = format!("Named capturing group <{name}> is already defined");
            return self.error(text, self.at);
        }
        self.groups += 1;
        self.names.push((name, self.groups));
        Ok("(".to_owned())
    }

    fn name(&mut self, close: char) -> Parsed<String> {
        if !self.look(0).is_some_and(|c| c.is_ascii_alphabetic()) {
            return self.error(
                "capturing group name does not start with a Latin letter",
                self.at + 1,
            );
        }
        let mut name = String::new();
        while let Some(c) = self.look(0).filter(char::is_ascii_alphanumeric) {
            name.push(c);
            self.at += 1;
        }
        self.at += 1;
        if self.look(0).is_none() && self.chars.last() != Some(&close)
            || self.chars.get(self.at - 1) != Some(&close)
        {
            return self.error("named capturing group is missing trailing '>'", self.at);
        }
        Ok(name)
    }

    fn switch_flags(&mut self) -> Parsed<()> {
        let mut on = true;
        while let Some(c) = self.look(0) {
            match c {
                'i' => self.flags.ignore_case = on,
                'm' => self.flags.multiline = on,
                's' => self.flags.dot_all = on,
                'd' => self.flags.unix_lines = on,
                'u' => self.flags.unicode_case = on,
                'x' => self.flags.comments = on,
                'U' => {
                    self.flags.unicode_class = on;
                    self.flags.unicode_case = on;
                }
                'c' => {}
                '-' if on => on = false,
                _ => break,
            }
            self.at += 1;
        }
        Ok(())
    }

    fn dot(&self) -> &'static str {
        match (self.flags.dot_all, self.flags.unix_lines) {
            (true, _) => "(?s:.)",
            (false, true) => r"[^\x{a}]",
            (false, false) => r"[^\x{a}\x{d}\x{85}\x{2028}\x{2029}]",
        }
    }

    fn caret(&self) -> String {
        match (self.flags.multiline, self.flags.unix_lines) {
            (false, _) => r"\A".to_owned(),
            (true, true) => r"(?:(?!\z)(?:\A|(?<=\x{a})))".to_owned(),
            (true, false) => {
                r"(?:(?!\z)(?:\A|(?<=[\x{a}\x{85}\x{2028}\x{2029}])|(?<=\x{d})(?!\x{a})))"
                    .to_owned()
            }
        }
    }

    fn dollar(&self) -> String {
        if self.ends == Ends::Plain {
            return r"\z".to_owned();
        }
        match (self.flags.multiline, self.flags.unix_lines) {
            (false, true) => r"(?=\x{a}?\z)".to_owned(),
            (true, true) => r"(?=\x{a}|\z)".to_owned(),
            (false, false) => last_line_end(),
            (true, false) => {
                format!(
                    r"(?:(?=\x{{d}}\x{{a}})|(?<!\x{{d}})(?=[{LINE_ENDS}])|(?=[\x{{d}}\x{{85}}\x{{2028}}\x{{2029}}])|\z)"
                )
            }
        }
    }

    /// A literal character with case folding as the flags say: ASCII only unless `u` is on.
    pub(super) fn literal(&self, c: char) -> String {
        if !self.flags.ignore_case {
            return code(c);
        }
        if self.flags.unicode_case {
            return format!("(?i:{})", code(c));
        }
        if c.is_ascii_alphabetic() {
            return format!("[{}{}]", c.to_ascii_lowercase(), c.to_ascii_uppercase());
        }
        code(c)
    }

    /// What a backslash outside of a class begins; the backslash is consumed.
    fn escape(&mut self) -> Parsed<String> {
        let Some(c) = self.look(0) else {
            return self.error("Unexpected internal error", self.at + 1);
        };
        let line_end = r"[\x{a}\x{b}\x{c}\x{d}\x{85}\x{2028}\x{2029}]";
        let text = match c {
            'A' => r"\A".to_owned(),
            'z' => r"\z".to_owned(),
            'Z' if self.ends == Ends::Plain => r"\z".to_owned(),
            'Z' if self.flags.unix_lines => r"(?=\x{a}?\z)".to_owned(),
            'Z' => last_line_end(),
            'G' => r"\G".to_owned(),
            'b' if self.look(1) == Some('{') && self.look(2) == Some('g') => {
                return self.error("Illegal/unsupported escape sequence", self.at + 1);
            }
            'b' => r"\b".to_owned(),
            'B' => r"\B".to_owned(),
            'R' => format!(r"(?:\x{{d}}\x{{a}}|{line_end})"),
            'X' => r"(?:\x{d}\x{a}|\P{M}\p{M}*|\p{M}+)".to_owned(),
            'k' => {
                self.at += 1;
                return self.named_reference();
            }
            '1'..='9' => return Ok(self.numbered_reference()),
            _ => match class::predefined(self)? {
                Some(set) => return Ok(set),
                None => {
                    let c = class::escaped_char(self)?;
                    return Ok(self.literal(c));
                }
            },
        };
        self.at += 1;
        Ok(text)
    }

    fn named_reference(&mut self) -> Parsed<String> {
        if self.look(0) != Some('<') {
            return self.error(
                "\\k is not followed by '<' for named capturing group",
                self.at + 1,
            );
        }
        self.at += 1;
        let name = self.name('>')?;
        match self.names.iter().find(|(own, _)| *own == name) {
            Some((_, index)) => Ok(self.reference(*index)),
            None => self.error(
                format!("named capturing group <{name}> does not exist"),
                self.at,
            ),
        }
    }

    fn numbered_reference(&mut self) -> String {
        let mut group = 0;
        while let Some(digit) = self.look(0).and_then(|c| c.to_digit(10)) {
            let longer = group * 10 + digit as usize;
            // Further digits belong to it only while such a group stands before.
            if group > 0 && longer > self.groups {
                break;
            }
            group = longer;
            self.at += 1;
        }
        self.reference(group)
    }

    fn reference(&self, group: usize) -> String {
        if group > self.groups_total {
            return "(?!)".to_owned();
        }
        if self.flags.ignore_case {
            format!(r"(?i:\{group})")
        } else {
            format!(r"(?:\{group})")
        }
    }

    /// The text of a property name after `\p` or `\P`; the letter is consumed.
    pub(super) fn property(&mut self, negated: bool) -> Parsed<String> {
        let mut name = String::new();
        if self.look(0) == Some('{') {
            let start = self.at;
            self.at += 1;
            while let Some(c) = self.look(0).filter(|c| *c != '}') {
                name.push(c);
                self.at += 1;
            }
            if self.look(0).is_none() {
                return self.error("Unclosed character family", self.chars.len() + 1);
            }
            self.at += 1;
            if name.is_empty() {
                return self.error("Empty character family", start + 2);
            }
        } else if let Some(c) = self.look(0) {
            name.push(c);
            self.at += 1;
        }
        let known = properties::property(&name, self.flags.unicode_class);
        let Some(set) = known else {
            let description = match name.split_once('=') {
                Some((key, value)) => match key.to_ascii_lowercase().as_str() {
                    "sc" | "script" => format!("Unknown character script name {{{value}}}"),
                    "blk" | "block" => format!("Unknown character block name {{{value}}}"),
                    _ => format!("Unknown Unicode property {{name=<{key}>, value=<{value}>}}"),
                },
                None => format!("Unknown character property name {{{name}}}"),
            };
            return self.error(description, self.at);
        };
        // Under `i`, the cased classes take both cases.
        let set = match (self.flags.ignore_case, set.as_str()) {
            (true, "[a-z]" | "[A-Z]") => "[a-zA-Z]".to_owned(),
            (true, r"\p{Lowercase}" | r"\p{Uppercase}") => {
                r"[\p{Lowercase}\p{Uppercase}\p{Lt}]".to_owned()
            }
            (true, r"\p{gc=Lu}" | r"\p{gc=Ll}" | r"\p{gc=Lt}") => {
                r"[\p{Lu}\p{Ll}\p{Lt}]".to_owned()
            }
            _ => set,
        };
        Ok(if negated { format!("[^{set}]") } else { set })
    }
}

/// A character by its code, which has a meaning of its own in no place.
pub(super) fn code(c: char) -> String {
    if c.is_ascii_alphanumeric() {
        c.to_string()
    } else {
        format!(r"\x{{{:x}}}", u32::from(c))
    }
}

/// The end of the text, or before a line end that ends it.
fn last_line_end() -> String {
    r"(?:\z|(?=\x{d}\x{a}\z)|(?=[\x{d}\x{85}\x{2028}\x{2029}]\z)|(?<!\x{d})(?=\x{a}\z))".to_owned()
}

/// Whether an atom matches without taking a character: the engine refuses to repeat such.
fn is_zero_width(atom: &str) -> bool {
    const STARTS: [&str; 5] = ["(?=", "(?!", "(?<=", "(?<!", r"(?:(?!\z)(?:\A"];
    atom.is_empty()
        || [r"\A", r"\z", r"\b", r"\B", r"\G"].contains(&atom)
        || STARTS.iter().any(|start| atom.starts_with(start))
        || atom == last_line_end()
        || atom.starts_with(r"(?:(?=\x{d}\x{a})|")
}

/// Repeating what takes no character is asking once, or not at all.
fn repeat_nothing(atom: &str, quantifier: &str, mode: Option<char>, out: &mut String) {
    if atom.is_empty() {
        return;
    }
    let may_fail = ["?", "*"].contains(&quantifier) || quantifier.starts_with("{0");
    match (may_fail, mode) {
        (false, _) => out.push_str(atom),
        (true, Some('?')) => out.push_str(&format!("(?:|{atom})")),
        (true, _) => out.push_str(&format!("(?:{atom}|)")),
    }
}

/// Java's first pass: `\Q…\E` becomes escapes. Places in error messages count in its result.
fn unquoted(pattern: &str) -> Vec<char> {
    let mut out = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    let mut in_quote = false;
    let mut begin = false;
    while let Some(c) = chars.next() {
        if in_quote {
            if c == '\\' && chars.next_if_eq(&'E').is_some() {
                in_quote = false;
                continue;
            }
            if c.is_ascii_digit() && begin {
                // A digit after an open escape or count would be read as a part of it.
                out.extend(['\\', 'x', '3']);
            } else if c.is_ascii() && !c.is_ascii_alphanumeric() {
                out.push('\\');
            }
            out.push(c);
            begin = false;
        } else if c == '\\' {
            match chars.next() {
                Some('Q') => {
                    in_quote = true;
                    begin = true;
                }
                Some(next) => out.extend([c, next]),
                None => out.push(c),
            }
        } else {
            out.push(c);
        }
    }
    out
}
