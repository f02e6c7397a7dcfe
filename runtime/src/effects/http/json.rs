//! Judging JSON text without building it.

/// Whether brackets nest at most `max` deep. Looks at brackets outside of strings only, so it is exact for valid JSON
/// and safe for anything else.
pub(crate) fn within_depth(text: &[u8], max: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &byte in text {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > max {
                    return false;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_brackets_outside_of_strings() {
        assert!(within_depth(br#"{"a":[1,"[[[[",{"b":"\"[["}]}"#, 3));
        assert!(!within_depth(br#"{"a":[1,{"b":[]}]}"#, 3));
        assert!(within_depth(b"1", 0));
        assert!(within_depth(b"]]]][[", 2));
    }
}
