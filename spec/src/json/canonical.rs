//! Canonical JSON (RFC 8785): members sorted by UTF-16 units, numbers in ECMAScript's form, no spaces.

use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

/// The canonical form of a value. Numbers count as doubles, as the RFC wants; strings are kept as they are (no
/// Unicode normalisation).
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value);
    out
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => write_object(out, members),
    }
}

fn write_object(out: &mut String, members: &Map<String, Value>) {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_unstable_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push('{');
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(out, name);
        out.push(':');
        write_value(out, value);
    }
    out.push('}');
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[from..at]);
        from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x08 => out.push_str("\\b"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            0x0c => out.push_str("\\f"),
            b'\r' => out.push_str("\\r"),
            other => write!(out, "\\u{other:04x}").expect("writing to a String cannot fail"),
        }
    }
    out.push_str(&text[from..]);
    out.push('"');
}

fn write_number(out: &mut String, number: &Number) {
    // `Number` without `arbitrary_precision` is an i64, a u64 or a finite f64: each has an f64.
    let value = number.as_f64().unwrap_or_default();
    if value == 0.0 {
        // Minus zero, too.
        out.push('0');
        return;
    }
    // The shortest digits that read back as the same double, the even ones of two that are equally near. The standard
    // library rounds such a tie up; ECMAScript and the printer of `serde_json` do not.
    let printed = Number::from_f64(value)
        .map(|number| number.to_string())
        .unwrap_or_default();
    let (sign, magnitude) = printed
        .strip_prefix('-')
        .map_or(("", printed.as_str()), |rest| ("-", rest));
    let (mantissa, exponent) = magnitude.split_once('e').unwrap_or((magnitude, "0"));
    let exponent: i32 = exponent
        .parse()
        .expect("the exponent of a double is a small integer");
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let joined = format!("{whole}{fraction}");
    let zeros = joined.len() - joined.trim_start_matches('0').len();
    let digits = joined.trim_matches('0');
    let shift = i32::try_from(whole.len()).expect("a double has few digits")
        - i32::try_from(zeros).expect("a double has few digits");
    out.push_str(sign);
    layout(out, digits, exponent + shift);
}

/// ECMAScript's `Number::toString`: the value is 0.`digits` · 10^`point`.
fn layout(out: &mut String, digits: &str, point: i32) {
    let length = i32::try_from(digits.len()).expect("a double has at most 17 digits");
    let position = usize::try_from(point).unwrap_or_default();
    if length <= point && point <= 21 {
        out.push_str(digits);
        out.extend(std::iter::repeat_n('0', position - digits.len()));
    } else if 0 < point && point <= 21 {
        out.push_str(&digits[..position]);
        out.push('.');
        out.push_str(&digits[position..]);
    } else if -6 < point && point <= 0 {
        out.push_str("0.");
        out.extend((point..0).map(|_| '0'));
        out.push_str(digits);
    } else {
        out.push_str(&digits[..1]);
        if digits.len() > 1 {
            out.push('.');
            out.push_str(&digits[1..]);
        }
        let exponent = point - 1;
        write!(out, "e{}{}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
            .expect("writing to a String cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn number(bits: u64) -> String {
        canonical(&Value::Number(Number::from_f64(f64::from_bits(bits)).unwrap()))
    }

    /// RFC 8785, appendix B.
    #[test]
    fn numbers_of_the_rfc() {
        for (bits, expected) in [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            assert_eq!(number(bits), expected, "{bits:016x}");
        }
    }

    /// RFC 8785, sections 3.2.2 and 3.2.3.
    #[test]
    fn objects_of_the_rfc() {
        let value = json!({
            "numbers": [333_333_333.333_333_3_f64, 1e30, 4.50, 2e-3, 0.000_000_000_000_000_000_000_000_001],
            "string": "\u{20ac}$\u{000f}\nA'B\"\\\\\"/",
            "literals": [null, true, false]
        });
        assert_eq!(
            canonical(&value),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
             \"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
        let value = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control",
            "\u{f6}": "Latin Small Letter O With Diaeresis"
        });
        let order: Vec<String> = canonical(&value)
            .split("\":\"")
            .skip(1)
            .map(|rest| rest[..3].to_owned())
            .collect();
        assert_eq!(order, ["Car", "One", "Con", "Lat", "Eur", "Emo", "Heb"]);
    }
}
