//! Texts from elsewhere, made to fit: never cut inside a character.

/// The first bytes of a text, at most so many.
pub(super) fn head(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// The last bytes of a text, at most so many.
pub(super) fn tail(text: &str, most: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(most))..]
}

/// A text of at most so many bytes, with a mark where some of it is missing.
pub(super) fn fit(text: &str, most: usize) -> String {
    let text = text.trim();
    if text.len() <= most {
        return text.to_owned();
    }
    format!("{}…", head(text, most - '…'.len_utf8()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(fit("größer", 6), "gr…");
        assert_eq!(fit("größer", 8), "größer");
        assert_eq!(tail("größer", 5), "ßer");
        assert_eq!(tail("größer", 4), "ßer");
        assert_eq!(head("größer", 3), "gr");
        assert_eq!(tail("er", 5), "er");
    }
}
