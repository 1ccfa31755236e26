//! Character classes: brackets, ranges, unions, intersections, predefined sets, escaped characters.

use super::translate::{Parsed, Parser, code};

/// A class whose opening bracket is consumed.
pub(super) fn bracketed(parser: &mut Parser) -> Parsed<String> {
    nested(parser, 0)
}

/// Brackets may nest this deep.
const DEPTH_MAX: usize = 100;

fn nested(parser: &mut Parser, depth: usize) -> Parsed<String> {
    if depth > DEPTH_MAX {
        return parser.error("Pattern nests too deep", parser.at);
    }
    let mut out = String::from("[");
    if parser.peek() == Some('^') {
        parser.at += 1;
        out.push('^');
    }
    // What stands before the first `&&` must not be empty for the engine.
    let mut empty = true;
    let mut operand = false;
    loop {
        let Some(c) = parser.peek() else {
            return parser.error("Unclosed character class", parser.chars.len());
        };
        match c {
            ']' if !empty => {
                parser.at += 1;
                break;
            }
            '[' => {
                parser.at += 1;
                out.push_str(&nested(parser, depth + 1)?);
            }
            '&' if parser.look(1) == Some('&') => {
                while parser.look(0) == Some('&') && parser.look(1) == Some('&') {
                    parser.at += 2;
                }
                match parser.peek() {
                    // Nothing to intersect with: Java ignores the operator.
                    Some(']') if !empty => {}
                    Some(']') => return parser.error("Bad class syntax", parser.at + 1),
                    _ if empty => {}
                    _ => {
                        out.push_str("&&");
                        operand = true;
                    }
                }
                continue;
            }
            _ => item(parser, &mut out)?,
        }
        empty = false;
        operand = false;
    }
    if operand {
        return parser.error("Bad class syntax", parser.at);
    }
    out.push(']');
    Ok(out)
}

/// A single character, a range or a predefined set.
fn item(parser: &mut Parser, out: &mut String) -> Parsed<()> {
    if parser.look(0) == Some('\\') {
        parser.at += 1;
        if let Some(set) = predefined(parser)? {
            out.push_str(&set);
            return Ok(());
        }
        parser.at -= 1;
    }
    let first = one(parser)?;
    let after = parser.look(1);
    if parser.peek() != Some('-') || matches!(after, None | Some(']' | '[')) {
        range(parser, first, first, out);
        return Ok(());
    }
    parser.at += 1;
    parser.peek();
    let last = one(parser)?;
    if last < first {
        return parser.error("Illegal character range", parser.at);
    }
    range(parser, first, last, out);
    Ok(())
}

fn one(parser: &mut Parser) -> Parsed<char> {
    match parser.look(0) {
        Some('\\') => {
            parser.at += 1;
            escaped_char(parser)
        }
        Some(c) => {
            parser.at += 1;
            Ok(c)
        }
        None => parser.error("Unclosed character class", parser.chars.len()),
    }
}

/// Writes a range; under `i` with the other case of its ASCII letters, or of all letters under `u`.
fn range(parser: &Parser, first: char, last: char, out: &mut String) {
    push_range(first, last, out);
    if !parser.flags.ignore_case {
        return;
    }
    for (low, high, shift) in [('a', 'z', -32_i32), ('A', 'Z', 32)] {
        let (from, to) = (first.max(low), last.min(high));
        if from <= to {
            push_range(moved(from, shift), moved(to, shift), out);
        }
    }
    if parser.flags.unicode_case {
        // Long ranges of other alphabets are folded by their ends only where both have a simple pair.
        for c in (first..=last).take(2_000).filter(|c| !c.is_ascii()) {
            let folded = c.to_lowercase().chain(c.to_uppercase());
            for other in folded.filter(|other| *other != c) {
                push_range(other, other, out);
            }
        }
    }
}

fn moved(c: char, shift: i32) -> char {
    u32::from(c)
        .checked_add_signed(shift)
        .and_then(char::from_u32)
        .unwrap_or(c)
}

fn push_range(first: char, last: char, out: &mut String) {
    out.push_str(&code(first));
    if first != last {
        out.push('-');
        out.push_str(&code(last));
    }
}

/// A predefined set after a backslash, complete in itself; `None` when the escape is a character.
pub(super) fn predefined(parser: &mut Parser) -> Parsed<Option<String>> {
    let Some(c) = parser.look(0) else {
        return parser.error("Unexpected internal error", parser.at + 1);
    };
    let unicode = parser.flags.unicode_class;
    let text = match c {
        'd' if unicode => r"\p{Nd}",
        'D' if unicode => r"\P{Nd}",
        's' if unicode => r"\p{White_Space}",
        'S' if unicode => r"\P{White_Space}",
        'w' if unicode => r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d}]",
        'W' if unicode => r"[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d}]",
        'd' => "[0-9]",
        'D' => "[^0-9]",
        's' => r"[\x{9}-\x{d}\x{20}]",
        'S' => r"[^\x{9}-\x{d}\x{20}]",
        'w' => r"[a-zA-Z_0-9]",
        'W' => r"[^a-zA-Z_0-9]",
        'h' => r"[\x{20}\x{9}\x{a0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}]",
        'H' => r"[^\x{20}\x{9}\x{a0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}]",
        'v' => r"[\x{a}-\x{d}\x{85}\x{2028}\x{2029}]",
        'V' => r"[^\x{a}-\x{d}\x{85}\x{2028}\x{2029}]",
        'p' | 'P' => {
            parser.at += 1;
            return parser.property(c == 'P').map(Some);
        }
        _ => return Ok(None),
    };
    parser.at += 1;
    Ok(Some(text.to_owned()))
}

/// The character that an escape stands for; the backslash is consumed.
pub(super) fn escaped_char(parser: &mut Parser) -> Parsed<char> {
    let Some(c) = parser.look(0) else {
        return parser.error("Unexpected internal error", parser.at + 1);
    };
    parser.at += 1;
    Ok(match c {
        't' => '\t',
        'n' => '\n',
        'r' => '\r',
        'f' => '\u{c}',
        'a' => '\u{7}',
        'e' => '\u{1b}',
        '0' => return octal(parser),
        'x' => return hexadecimal(parser),
        'u' => return utf16(parser),
        'c' => {
            let Some(c) = parser.look(0) else {
                return parser.error("Illegal control escape sequence", parser.at);
            };
            parser.at += 1;
            char::from_u32(u32::from(c) ^ 64).unwrap_or(c)
        }
        'N' => return parser.error("Illegal character name escape sequence", parser.at + 1),
        c if c.is_ascii_alphanumeric() => {
            return parser.error("Illegal/unsupported escape sequence", parser.at);
        }
        literal => literal,
    })
}

fn octal(parser: &mut Parser) -> Parsed<char> {
    let mut number = 0;
    let mut digits = 0;
    while let Some(digit) = parser.look(0).and_then(|c| c.to_digit(8)) {
        if digits == 3 || (digits == 2 && number * 8 + digit > 0o377) {
            break;
        }
        number = number * 8 + digit;
        digits += 1;
        parser.at += 1;
    }
    match char::from_u32(number) {
        Some(c) if digits > 0 => Ok(c),
        _ => parser.error("Illegal octal escape sequence", parser.at + 1),
    }
}

fn hexadecimal(parser: &mut Parser) -> Parsed<char> {
    if parser.look(0) == Some('{') {
        parser.at += 1;
        let mut number = 0_u32;
        let start = parser.at;
        while let Some(digit) = parser.look(0).and_then(|c| c.to_digit(16)) {
            number = number.saturating_mul(16).saturating_add(digit);
            parser.at += 1;
            if number > 0x10_ffff {
                return parser.error("Hexadecimal codepoint is too big", parser.at + 1);
            }
        }
        let closed = parser.look(0) == Some('}') && parser.at > start;
        parser.at += 1;
        return match char::from_u32(number) {
            Some(c) if closed => Ok(c),
            _ => parser.error("Unclosed hexadecimal escape sequence", parser.at),
        };
    }
    match digits(parser, 2) {
        Some(number) => Ok(char::from_u32(number).unwrap_or('\u{fffd}')),
        None => {
            let first = parser.look(0).is_some_and(|c| c.is_ascii_hexdigit());
            let read = if first { 2 } else { 1 };
            parser.error("Illegal hexadecimal escape sequence", parser.at + read)
        }
    }
}

/// `\uhhhh`, two of which make one character beyond the first plane.
fn utf16(parser: &mut Parser) -> Parsed<char> {
    let Some(unit) = digits(parser, 4) else {
        let good =
            (0..4).take_while(|ahead| parser.look(*ahead).is_some_and(|c| c.is_ascii_hexdigit()));
        let cursor = parser.at + good.count() + 1;
        return parser.error("Illegal Unicode escape sequence", cursor);
    };
    if (0xd800..0xdc00).contains(&unit)
        && parser.look(0) == Some('\\')
        && parser.look(1) == Some('u')
    {
        let back = parser.at;
        parser.at += 2;
        if let Some(low @ 0xdc00..0xe000) = digits(parser, 4) {
            let number = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            return Ok(char::from_u32(number).unwrap_or('\u{fffd}'));
        }
        parser.at = back;
    }
    Ok(char::from_u32(unit).unwrap_or('\u{fffd}'))
}

fn digits(parser: &mut Parser, count: usize) -> Option<u32> {
    let mut number = 0;
    for ahead in 0..count {
        number = number * 16 + parser.look(ahead)?.to_digit(16)?;
    }
    parser.at += count;
    Some(number)
}
