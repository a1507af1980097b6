//! A word of a command that a person is given to type.

/// As a shell takes it for one word: quoted where it holds what a shell reads otherwise.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one() {
        for (text, typed) in [
            ("file:/etc/no.csv", "file:/etc/no.csv"),
            ("file:/srv/no calls.csv", "'file:/srv/no calls.csv'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(word(text), typed);
        }
    }
}
