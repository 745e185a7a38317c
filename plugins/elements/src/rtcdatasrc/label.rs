// SPDX-License-Identifier: MPL-2.0
//! Patterns of labels: `*` is any text, `?` any one character, all else is itself.

/// Whether a label fits; an empty pattern fits all.
pub(super) fn fits(pattern: &str, label: &str) -> bool {
    if pattern.is_empty() {
        return true;
    }
    let (pattern, label): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), label.chars().collect());
    let (mut p, mut l) = (0, 0);
    // Where the last star stands, and how much of the label it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while let Some(character) = label.get(l) {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, l));
                p += 1;
            }
            Some(c) if c == character || *c == '?' => {
                p += 1;
                l += 1;
            }
            _ => {
                let Some((at, taken)) = star else {
                    return false;
                };
                star = Some((at, taken + 1));
                p = at + 1;
                l = taken + 1;
            }
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_fit_as_a_shells_do() {
        for (pattern, label, fitting) in [
            ("", "anything", true),
            ("", "", true),
            ("chat", "chat", true),
            ("chat", "chat2", false),
            ("chat*", "chat2", true),
            ("*", "", true),
            ("?", "", false),
            ("?", "é", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("*telemetry", "gps telemetry", true),
        ] {
            assert_eq!(fits(pattern, label), fitting, "{pattern} {label}");
        }
    }
}
