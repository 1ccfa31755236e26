//! Character properties: `\p{…}` by Java's names, in the engine's syntax.

/// The engine's class text of a property, without negation; `None`: Java knows no such name.
pub(super) fn property(name: &str, unicode: bool) -> Option<String> {
    if let Some(posix) = posix(name, unicode) {
        return Some(posix.to_owned());
    }
    if let Some(java) = java_method(name) {
        return Some(java.to_owned());
    }
    if let Some((key, value)) = name.split_once('=') {
        return match key.to_ascii_lowercase().as_str() {
            "sc" | "script" => known(&format!("sc={value}")),
            "gc" | "general_category" => known(&format!("gc={value}")),
            "blk" | "block" => block(value),
            _ => None,
        };
    }
    if let Some(block_name) = name.strip_prefix("In") {
        return block(block_name);
    }
    if let Some(rest) = name.strip_prefix("Is") {
        return binary(rest)
            .or_else(|| known(rest))
            .or_else(|| known(&format!("sc={rest}")));
    }
    match name {
        "L1" => Some(r"[\x{0}-\x{ff}]".to_owned()),
        "all" => Some(r"[\x{0}-\x{10ffff}]".to_owned()),
        "LC" => Some(r"[\p{Lu}\p{Ll}\p{Lt}]".to_owned()),
        "LD" => Some(r"[\p{L}\p{Nd}]".to_owned()),
        // Java's names of general categories are exact.
        _ if name.len() <= 2 => known(&format!("gc={name}")),
        _ => None,
    }
}

/// The text of a property that the engine knows.
fn known(name: &str) -> Option<String> {
    let text = format!(r"\p{{{name}}}");
    fancy_regex::Regex::new(&text).ok().map(|_| text)
}

fn posix(name: &str, unicode: bool) -> Option<&'static str> {
    Some(match (name, unicode) {
        ("Lower", false) => "[a-z]",
        ("Upper", false) => "[A-Z]",
        ("ASCII", _) => r"[\x{0}-\x{7f}]",
        ("Alpha", false) => "[a-zA-Z]",
        ("Digit", false) => "[0-9]",
        ("Alnum", false) => "[a-zA-Z0-9]",
        ("Punct", false) => r"[\x{21}-\x{2f}\x{3a}-\x{40}\x{5b}-\x{60}\x{7b}-\x{7e}]",
        ("Graph", false) => r"[\x{21}-\x{7e}]",
        ("Print", false) => r"[\x{20}-\x{7e}]",
        ("Blank", false) => r"[\x{20}\x{9}]",
        ("Cntrl", false) => r"[\x{0}-\x{1f}\x{7f}]",
        ("XDigit", false) => "[0-9a-fA-F]",
        ("Space", false) => r"[\x{20}\x{9}-\x{d}]",
        ("Lower", true) => r"\p{Lowercase}",
        ("Upper", true) => r"\p{Uppercase}",
        ("Alpha", true) => r"\p{Alphabetic}",
        ("Digit", true) => r"\p{Nd}",
        ("Alnum", true) => r"[\p{Alphabetic}\p{Nd}]",
        ("Punct", true) => r"\p{P}",
        ("Blank", true) => r"[\p{Zs}\x{9}]",
        ("Cntrl", true) => r"\p{Cc}",
        ("XDigit", true) => r"[\p{Nd}\p{Hex_Digit}]",
        ("Space", true) => r"\p{White_Space}",
        ("Graph", true) => r"[^\p{White_Space}\p{Cc}\p{Cs}\p{Cn}]",
        ("Print", true) => r"[[^\p{White_Space}\p{Cc}\p{Cs}\p{Cn}]\p{Zs}]",
        _ => return None,
    })
}

fn java_method(name: &str) -> Option<&'static str> {
    Some(match name.strip_prefix("java")? {
        "LowerCase" => r"\p{Lowercase}",
        "UpperCase" => r"\p{Uppercase}",
        "Alphabetic" => r"\p{Alphabetic}",
        "TitleCase" => r"\p{Lt}",
        "Digit" => r"\p{Nd}",
        "Letter" => r"\p{L}",
        "LetterOrDigit" => r"[\p{L}\p{Nd}]",
        "Whitespace" => r"[[\p{Z}--[\x{a0}\x{2007}\x{202f}]]\x{9}-\x{d}\x{1c}-\x{1f}]",
        "SpaceChar" => r"\p{Z}",
        "ISOControl" => r"[\x{0}-\x{1f}\x{7f}-\x{9f}]",
        "Defined" => r"\P{Cn}",
        "JavaIdentifierStart" => r"[\p{L}\p{Nl}\p{Sc}\p{Pc}]",
        "JavaIdentifierPart" => {
            r"[\p{L}\p{Nl}\p{Sc}\p{Pc}\p{Nd}\p{Mn}\p{Mc}\x{0}-\x{8}\x{e}-\x{1b}\x{7f}-\x{9f}\p{Cf}]"
        }
        _ => return None,
    })
}

fn binary(name: &str) -> Option<String> {
    let text = match name.to_ascii_uppercase().as_str() {
        "ALPHABETIC" => r"\p{Alphabetic}",
        "IDEOGRAPHIC" => r"\p{Ideographic}",
        "LETTER" => r"\p{L}",
        "LOWERCASE" => r"\p{Lowercase}",
        "UPPERCASE" => r"\p{Uppercase}",
        "TITLECASE" => r"\p{Lt}",
        "WHITE_SPACE" | "WHITESPACE" => r"\p{White_Space}",
        "CONTROL" => r"\p{Cc}",
        "PUNCTUATION" => r"\p{P}",
        "HEX_DIGIT" | "HEXDIGIT" => r"[\p{Nd}\p{Hex_Digit}]",
        "ASSIGNED" => r"\P{Cn}",
        "NONCHARACTER_CODE_POINT" => r"\p{Noncharacter_Code_Point}",
        "DIGIT" => r"\p{Nd}",
        "ALNUM" => r"[\p{Alphabetic}\p{Nd}]",
        "BLANK" => r"[\p{Zs}\x{9}]",
        "EMOJI" => r"\p{Emoji}",
        _ => return None,
    };
    Some(text.to_owned())
}

/// The blocks that people use; Java knows all of Unicode's.
fn block(name: &str) -> Option<String> {
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let (first, last) = match plain.as_str() {
        "BASICLATIN" => (0x0, 0x7f),
        "LATIN1SUPPLEMENT" => (0x80, 0xff),
        "LATINEXTENDEDA" => (0x100, 0x17f),
        "LATINEXTENDEDB" => (0x180, 0x24f),
        "IPAEXTENSIONS" => (0x250, 0x2af),
        "COMBININGDIACRITICALMARKS" => (0x300, 0x36f),
        "GREEK" | "GREEKANDCOPTIC" => (0x370, 0x3ff),
        "CYRILLIC" => (0x400, 0x4ff),
        "ARMENIAN" => (0x530, 0x58f),
        "HEBREW" => (0x590, 0x5ff),
        "ARABIC" => (0x600, 0x6ff),
        "DEVANAGARI" => (0x900, 0x97f),
        "THAI" => (0xe00, 0xe7f),
        "GENERALPUNCTUATION" => (0x2000, 0x206f),
        "CURRENCYSYMBOLS" => (0x20a0, 0x20cf),
        "HIRAGANA" => (0x3040, 0x309f),
        "KATAKANA" => (0x30a0, 0x30ff),
        "CJKUNIFIEDIDEOGRAPHS" => (0x4e00, 0x9fff),
        "HANGULSYLLABLES" => (0xac00, 0xd7af),
        _ => return None,
    };
    Some(format!(r"[\x{{{first:x}}}-\x{{{last:x}}}]"))
}
