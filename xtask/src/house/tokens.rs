//! A walk over a file's tokens that knows what surrounds them: test code, a loop.
//!
//! Tokens and not text, so that a word in a string or a comment is never taken for code.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// What surrounds a token.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// Inside an item under `#[cfg(test)]`, `#[test]` or a test attribute of some framework.
    pub(super) in_test: bool,
    /// Inside the body of a loop, or of a `select!`, which races what it holds.
    pub(super) in_loop: bool,
}

/// Calls `visit` with each token's siblings, its index among them and its place.
pub(super) fn walk(tokens: TokenStream, visit: &mut impl FnMut(&[TokenTree], usize, Place)) {
    within(tokens, Place::default(), visit);
}

fn within(tokens: TokenStream, place: Place, visit: &mut impl FnMut(&[TokenTree], usize, Place)) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, tree) in trees.iter().enumerate() {
        visit(&trees, at, place);
        if let TokenTree::Group(group) = tree {
            let inner = Place {
                in_test: place.in_test || is_test_item(&trees, at),
                in_loop: place.in_loop || is_loop_body(&trees, at),
            };
            within(group.stream(), inner, visit);
        }
    }
}

/// The word at this index, if it is one.
pub(super) fn word(trees: &[TokenTree], at: usize) -> Option<String> {
    match trees.get(at) {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
        _ => None,
    }
}

/// Whether the words and signs from this index on are exactly these.
pub(super) fn reads(trees: &[TokenTree], at: usize, expected: &[&str]) -> bool {
    expected
        .iter()
        .enumerate()
        .all(|(i, text)| match trees.get(at + i) {
            Some(TokenTree::Ident(ident)) => ident == text,
            Some(TokenTree::Punct(punct)) => text.len() == 1 && text.starts_with(punct.as_char()),
            _ => false,
        })
}

/// The group at this index, if it is one with this delimiter.
pub(super) fn group(trees: &[TokenTree], at: usize, delimiter: Delimiter) -> Option<&Group> {
    match trees.get(at) {
        Some(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(group),
        _ => None,
    }
}

/// The line a token stands on, from 1.
pub(super) fn line(tree: &TokenTree) -> usize {
    tree.span().start().line
}

/// The tokens of the statement or item before this index, the nearest first.
fn before(trees: &[TokenTree], at: usize) -> impl Iterator<Item = &TokenTree> {
    trees[..at].iter().rev().take_while(|tree| match tree {
        TokenTree::Punct(punct) => punct.as_char() != ';',
        TokenTree::Group(group) => group.delimiter() != Delimiter::Brace,
        _ => true,
    })
}

fn is_test_item(trees: &[TokenTree], at: usize) -> bool {
    group(trees, at, Delimiter::Brace).is_some()
        && before(trees, at).any(|tree| match tree {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                let attribute = group.stream().to_string().replace(' ', "");
                let name = attribute.split('(').next().unwrap_or_default();
                attribute == "cfg(test)" || name == "test" || name.ends_with("::test")
            }
            _ => false,
        })
}

fn is_loop_body(trees: &[TokenTree], at: usize) -> bool {
    let is_block = group(trees, at, Delimiter::Brace).is_some();
    let words: Vec<String> = before(trees, at)
        .filter_map(|tree| match tree {
            TokenTree::Ident(ident) => Some(ident.to_string()),
            _ => None,
        })
        .collect();
    let has = |word: &str| words.iter().any(|w| w == word);
    // `for` without `in` is the one of `impl Trait for Type`.
    is_block && (has("loop") || has("while") || (has("for") && has("in")) || has("select"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places_of(name: &str, text: &str) -> Vec<(bool, bool)> {
        let mut places = Vec::new();
        let tokens = text.parse().expect("the text is Rust");
        walk(tokens, &mut |trees, at, place| {
            if word(trees, at).as_deref() == Some(name) {
                places.push((place.in_test, place.in_loop));
            }
        });
        places
    }

    #[test]
    fn test_code_is_told_from_code_that_ships() {
        let text = "fn a() { x } #[cfg(test)] mod tests { fn b() { x } } fn c() { x }";
        assert_eq!(
            places_of("x", text),
            [(false, false), (true, false), (false, false)]
        );
        assert_eq!(
            places_of(
                "x",
                "#[tokio::test(start_paused = true)] async fn a() { x }"
            )
            .len(),
            1
        );
        assert!(
            places_of(
                "x",
                "#[tokio::test(start_paused = true)] async fn a() { x }"
            )[0]
            .0
        );
        assert!(places_of("x", "#[test] #[ignore] fn a() { x }")[0].0);
        assert!(!places_of("x", "#[cfg(feature = \"test\")] fn a() { x }")[0].0);
        assert!(!places_of("x", "#[cfg(test)] use y::z; fn a() { x }")[0].0);
    }

    #[test]
    fn loops_are_told_from_what_only_looks_like_one() {
        for text in [
            "fn a() { loop { x } }",
            "fn a() { while b { if c { x } } }",
            "fn a() { let v = 'outer: loop { x }; }",
            "fn a() { for i in 0..3 { x } }",
            "fn a() { tokio::select! { _ = x => {} } }",
        ] {
            assert_eq!(places_of("x", text), [(false, true)], "{text}");
        }
        for text in [
            "fn a() { x }",
            "impl B for C { fn a() { x } }",
            "fn a() { for i in 0..3 { y } x }",
            "fn a() { while b { y } if c { x } }",
        ] {
            assert_eq!(places_of("x", text), [(false, false)], "{text}");
        }
    }

    #[test]
    fn words_in_strings_and_comments_are_not_code() {
        assert!(places_of("x", "fn a() { \"x\" /* x */ } // x").is_empty());
    }
}
