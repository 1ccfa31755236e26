//! What Java makes of the same patterns; each expectation came out of a JVM.

use milena_java_text::{DateFormat, JavaRegex};

fn replaced(pattern: &str, text: &str, by: &str) -> String {
    let regex = JavaRegex::new(pattern).map_err(|e| e.to_string());
    match regex.map(|regex| regex.replace_first(text, by)) {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => format!("{}: {error}", error.java_class()),
        Err(error) => error,
    }
}

#[test]
fn classes_quotes_and_possessive_quantifiers_are_java_s() {
    let matches =
        |pattern: &str, text: &str| JavaRegex::new(pattern).unwrap().matches(text).unwrap();
    assert!(matches(r"\p{Alpha}+-\d{2}", "abc-12"));
    assert!(!matches(r"\d", "٣"), "digits are ASCII");
    assert!(matches(r"[a-z&&[^bc]]+", "adz"));
    assert!(!matches(r"[a-z&&[^bc]]+", "abz"));
    assert!(matches(r"\Qa.b\E+", "a.bbb"));
    assert!(!matches(r"a++a", "aaa"));
    assert!(matches(r"(?i)ABC", "abc"));
    assert!(!matches(r"(?i)É", "é"), "folding is ASCII without u");
    assert!(matches(r"(?iu)É", "é"));
    assert!(matches("a$\\R?", "a\n"));
    assert!(matches(r"(?<n>a|b)\k<n>\1", "bbb"));
}

#[test]
fn a_replacement_has_groups_names_and_escapes() {
    assert_eq!(replaced("(.*)-(?<tail>.*)", "a-b", "${tail}_$1\\$"), "b_a$");
    assert_eq!(replaced("a|ab", "ab", "X"), "Xb");
    assert_eq!(replaced("(a)", "a", "$10"), "a0");
    assert_eq!(
        replaced("(.*)", "a", "$2"),
        "java.lang.IndexOutOfBoundsException: No group 2"
    );
    assert_eq!(
        replaced("a", "a", "$"),
        "java.lang.IllegalArgumentException: Illegal group reference: group index is missing"
    );
}

#[test]
fn bad_patterns_are_refused_in_java_s_words() {
    let refused = |pattern: &str| JavaRegex::new(pattern).unwrap_err().to_string();
    assert_eq!(
        refused("*("),
        "Dangling meta character '*' near index 0\n*(\n^"
    );
    assert_eq!(refused("a("), "Unclosed group near index 2\na(");
    assert_eq!(
        refused("[a"),
        "Unclosed character class near index 1\n[a\n ^"
    );
    assert_eq!(refused(")"), "Unmatched closing ')'\n)");
    assert_eq!(
        refused("a{2,1}"),
        "Illegal repetition range near index 5\na{2,1}\n     ^"
    );
}

#[test]
fn a_pattern_that_blows_up_ends_as_an_error() {
    let regex = JavaRegex::new("(?=(a+)+$)\\1(a+)+b\\2$").unwrap();
    let text = "a".repeat(60);
    let begun = std::time::Instant::now();
    let _ = regex.matches(&text);
    let _ = JavaRegex::new("((a+)+)\\1b").unwrap().matches(&text);
    assert!(begun.elapsed() < std::time::Duration::from_secs(20));
    assert!(JavaRegex::new(&"(".repeat(100_000)).is_err());
    assert!(JavaRegex::new(&"[".repeat(100_000)).is_err());
    assert!(JavaRegex::new("((a{1000}){1000}){1000}").is_err());
}

#[test]
fn dates_are_formatted_as_java_does() {
    let text = |pattern: &str, millis| DateFormat::new(pattern, 0).unwrap().format(millis);
    assert_eq!(text("yyyyMMdd", 1_483_425_001_864), "20170103");
    assert_eq!(
        text("EEE, d MMMM yyyy hh:mm:ss.SSS a z Z XXX", 86_401_234),
        "Fri, 2 January 1970 12:00:01.234 AM UTC +0000 Z"
    );
    assert_eq!(text("YYYY-'W'ww-u DDD ''G''", -1), "1970-W01-3 365 'AD'");
    assert_eq!(text("yyyy-MM-dd", -12_219_292_800_001), "1582-10-04");
}

#[test]
fn dates_are_parsed_leniently_and_a_tail_is_ignored() {
    let now = 1_700_000_000_000;
    let instant = |pattern: &str, text| DateFormat::new(pattern, now).unwrap().parse(text);
    assert_eq!(
        instant("yyyy MM dd HH mm ss SSS z", "1970 01 02 00 00 01 234 UTC"),
        Some(86_401_234)
    );
    assert_eq!(
        instant("yyyy-MM-dd", "2020-13-01 tail"),
        Some(1_609_459_200_000)
    );
    assert_eq!(instant("yy-MM-dd", "44-01-01"), Some(-820_540_800_000));
    assert_eq!(instant("yyyyMMddHHmm", "197001020001"), Some(86_460_000));
    assert_eq!(instant("yyyy-MM-dd", "x"), None);
    assert_eq!(instant("HH:mm Z", "01:00 +0130"), Some(-1_800_000));
}

#[test]
fn bad_date_patterns_are_refused_in_java_s_words() {
    let refused = |pattern: &str| DateFormat::new(pattern, 0).unwrap_err().to_string();
    assert_eq!(refused("bogus"), "Illegal pattern character 'b'");
    assert_eq!(refused("yyyy'T"), "Unterminated quote");
    assert_eq!(refused("XXXX"), "invalid ISO 8601 format: length=4");
}
