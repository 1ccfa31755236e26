//! What a JSON converter remembers of earlier messages is not seen in what it makes of the next.

use bytes::Bytes;
use milena_api::RecordConverter as _;
use milena_data::{SchemaAndValue, Value};

use crate::{json, random};

/// An object of a few members whose names and order vary a little; with what is odd now and then.
fn object(state: &mut u64, depth: usize, text: &mut String) {
    let space = |state: &mut u64| [" ", "", "", "\n"][(random(state) % 4) as usize];
    let members = ["id", "name", "amount", "aktiv\u{e9}", "at", "", "i\\u0064"];
    let left_out = random(state) % 12;
    let (swapped, doubled) = (random(state) % 12, random(state) % 40);
    text.push('{');
    let mut first = true;
    let mut push = |state: &mut u64, index: usize| {
        if !first {
            text.push(',');
        }
        first = false;
        text.push_str(space(state));
        text.push_str(&format!("\"{}\"{}:", members[index], space(state)));
        text.push_str(space(state));
        match random(state) % 8 {
            0 => text.push_str("null"),
            1 => text.push_str("-12.5"),
            2 => text.push_str("\"a \\\"b\\\" c\""),
            3 if depth < 3 => object(state, depth + 1, text),
            4 if depth < 3 => {
                text.push('[');
                object(state, depth + 1, text);
                text.push(',');
                object(state, depth + 1, text);
                text.push(']');
            }
            // What is wrong, seldom.
            5 if random(state).is_multiple_of(50) => text.push_str("tru"),
            other => text.push_str(&format!("\"text {other}\"")),
        }
        text.push_str(space(state));
    };
    for index in 0..5 {
        if left_out == index {
            continue;
        }
        if swapped == index {
            push(state, (index as usize + 1) % 5 + usize::from(swapped > 3));
        }
        push(state, index as usize);
        if doubled == index {
            push(state, index as usize);
        }
    }
    if random(state).is_multiple_of(30) {
        push(state, 6);
    }
    text.push('}');
}

#[test]
fn a_converter_answers_as_a_new_one_whatever_it_has_seen() {
    const SCHEMA: &str = r#"{"type":"struct","optional":true,"fields":[{"field":"id","type":"string","optional":true},{"field":"name","type":"string","optional":true},{"field":"at","type":"double","optional":true}]}"#;
    let mut state = 7;
    let mut kept = [json(false), json(true)];
    let mut place = SchemaAndValue::default();
    let (mut good, mut bad) = (0, 0);
    for turn in 0..6_000_u64 {
        let mut text = String::new();
        // Often the same again, so that there is something to remember.
        let mut seed = if turn % 5 < 3 { turn / 100 } else { state };
        object(&mut seed, 0, &mut text);
        random(&mut state);
        let enveloped = turn % 4 == 0;
        if enveloped {
            let schema = ["null", SCHEMA][(turn / 4 % 2) as usize];
            text = format!(r#"{{"schema":{schema},"payload":{text}}}"#);
        }
        let bytes = Bytes::from(text);
        let fresh = json(enveloped).decode(&bytes);
        let kept = &mut kept[usize::from(enveloped)];
        // As it is, then in the place of whatever was made last, by either of them.
        assert_eq!(kept.decode(&bytes), fresh, "{bytes:?}");
        let again = kept.to_connect_at("t", &[], Some(&bytes), &mut place);
        match fresh {
            Ok(fresh) => {
                assert!(again.is_ok(), "{bytes:?}");
                assert_eq!(place, fresh, "{bytes:?}");
                // Also the order.
                assert_eq!(place.value.to_string(), fresh.value.to_string());
                good += 1;
            }
            Err(error) => {
                assert_eq!(again, Err(error), "{bytes:?}");
                bad += 1;
            }
        }
    }
    assert!(good > 2_000 && bad > 20, "{good} {bad}");
    let null = kept[0].to_connect_at("t", &[], None, &mut place);
    assert_eq!((null, place), (Ok(()), SchemaAndValue::default()));
}

#[test]
fn real_numbers_are_the_nearest_doubles() {
    let mut state = 11;
    let mut converter = json(false);
    for _ in 0..200_000 {
        let whole = random(&mut state) >> (random(&mut state) % 64);
        let places = random(&mut state) >> (random(&mut state) % 64);
        let sign = ["", "-"][(random(&mut state) % 2) as usize];
        let text = format!("{sign}{whole}.{places:03}");
        let number: f64 = text.parse().unwrap();
        let found = converter.decode(&Bytes::from(format!("[{text}]"))).unwrap();
        // There is no negative zero.
        let expected = if number == 0.0 { 0.0 } else { number };
        assert_eq!(found.value, Value::Array(vec![Value::Float64(expected)]));
    }
}
