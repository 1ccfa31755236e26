//! Names of time zones that are understood when parsing, with their offsets in minutes.

/// Whole names, compared without regard to case; longer ones first where one begins another.
const NAMES: &[(&str, i64)] = &[
    ("Coordinated Universal Time", 0),
    ("Greenwich Mean Time", 0),
    ("Pacific Standard Time", -480),
    ("Pacific Daylight Time", -420),
    ("Mountain Standard Time", -420),
    ("Mountain Daylight Time", -360),
    ("Central Standard Time", -360),
    ("Central Daylight Time", -300),
    ("Eastern Standard Time", -300),
    ("Eastern Daylight Time", -240),
    ("Central European Standard Time", 60),
    ("Central European Summer Time", 120),
    ("Eastern European Standard Time", 120),
    ("Eastern European Summer Time", 180),
    ("Western European Standard Time", 0),
    ("Western European Summer Time", 60),
    ("British Summer Time", 60),
    ("Moscow Standard Time", 180),
    ("India Standard Time", 330),
    ("Japan Standard Time", 540),
    ("Korean Standard Time", 540),
    ("AKST", -540),
    ("AKDT", -480),
    ("PST", -480),
    ("PDT", -420),
    ("MST", -420),
    ("MDT", -360),
    ("CST", -360),
    ("CDT", -300),
    ("EST", -300),
    ("EDT", -240),
    ("AST", -240),
    ("ADT", -180),
    ("HST", -600),
    ("CEST", 120),
    ("CET", 60),
    ("EEST", 180),
    ("EET", 120),
    ("WEST", 60),
    ("WET", 0),
    ("BST", 60),
    ("MSK", 180),
    ("IST", 330),
    ("JST", 540),
    ("KST", 540),
    ("AEST", 600),
    ("AEDT", 660),
    ("ACST", 570),
    ("AWST", 480),
    ("NZST", 720),
    ("NZDT", 780),
    ("UTC", 0),
    ("GMT", 0),
];

/// The offset in minutes and the length of a zone's name that the text begins with.
pub(super) fn zone_at(text: &[char]) -> Option<(i64, usize)> {
    NAMES
        .iter()
        .filter(|(name, _)| begins_with(text, name))
        .map(|(name, offset)| (*offset, name.len()))
        .max_by_key(|(_, length)| *length)
}

/// Whether the text begins with a name, without regard to case.
pub(super) fn begins_with(text: &[char], name: &str) -> bool {
    let mut text = text.iter();
    name.chars()
        .all(|c| text.next().is_some_and(|own| own.eq_ignore_ascii_case(&c)))
}
