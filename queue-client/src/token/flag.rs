//! The flag of the token, the same in every program.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};

use super::{BadToken, TOKEN_FILE_VARIABLE, TOKEN_VARIABLE, Token};

/// Where a program is told to find the token for its server.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct TokenArg {
    /// File whose first line is the token that the server asks for, if it asks for one [default: the
    /// token in $MEMQ_TOKEN]
    #[arg(long, env = TOKEN_FILE_VARIABLE, value_name = "FILE", value_parser = file_or_nothing())]
    pub token_file: Option<PathBuf>,
}

/// A variable that is set to nothing is no mistake.
fn file_or_nothing() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

impl TokenArg {
    /// What the environment says, for programs without the flag.
    #[must_use]
    pub fn of_environment() -> Self {
        let named = std::env::var_os(TOKEN_FILE_VARIABLE);
        Self {
            token_file: named.map(PathBuf::from),
        }
    }

    /// The file that is named; a variable without a value names none.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        let named = self.token_file.clone();
        named.filter(|file| !file.as_os_str().is_empty())
    }

    /// What a program that is started here is to have in its environment, to show the same token.
    #[must_use]
    pub fn environment(&self) -> Option<(&'static str, OsString)> {
        let Some(file) = self.file() else {
            let token = std::env::var_os(TOKEN_VARIABLE);
            let token = token.filter(|token| !token.is_empty());
            return token.map(|token| (TOKEN_VARIABLE, token));
        };
        // It may go to another folder. Of a path that cannot be made whole nothing better is known.
        let whole = std::path::absolute(&file).unwrap_or(file);
        Some((TOKEN_FILE_VARIABLE, whole.into()))
    }

    /// The token: that of the file, else that of the variable, else none.
    pub fn token(&self) -> Result<Option<Token>, BadToken> {
        self.token_beside(std::env::var_os(TOKEN_VARIABLE))
    }

    fn token_beside(&self, variable: Option<OsString>) -> Result<Option<Token>, BadToken> {
        if let Some(file) = self.file() {
            return Token::from_file(file).map(Some);
        }
        let Some(text) = variable.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let text = text.to_string_lossy();
        Token::from_text(text.trim_ascii(), TOKEN_VARIABLE).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Cli {
        #[command(flatten)]
        token: TokenArg,
    }

    #[test]
    fn a_file_without_a_name_is_none() {
        for (words, file) in [
            (&["memq", "--token-file", "f"], Some("f")),
            (&["memq", "--token-file", ""], None),
        ] {
            let cli = <Cli as clap::Parser>::try_parse_from(words).expect("it is understood");
            assert_eq!(cli.token.file(), file.map(PathBuf::from));
        }
    }

    #[test]
    fn the_file_wins_over_the_variable_and_without_both_there_is_no_token() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("token");
        std::fs::write(&path, "of-the-file\n").expect("it can be written");
        let (file, none) = (
            TokenArg {
                token_file: Some(path),
            },
            TokenArg::default(),
        );
        let empty = TokenArg {
            token_file: Some(PathBuf::new()),
        };
        let header = |arg: &TokenArg, variable: Option<&str>| {
            let token = arg.token_beside(variable.map(OsString::from));
            token.expect("a token or none").map(|token| token.header())
        };
        assert_eq!(
            header(&file, Some("x")).expect("a token"),
            "Bearer of-the-file"
        );
        assert_eq!(header(&none, Some("x\n")).expect("a token"), "Bearer x");
        assert_eq!(header(&empty, Some("x")).expect("a token"), "Bearer x");
        assert_eq!(header(&none, Some("")), None);
        assert_eq!(header(&none, None), None);
        let error = none.token_beside(Some("a b".into())).expect_err("no token");
        assert_eq!(
            error.to_string(),
            "there is no token in MEMQ_TOKEN: the first line has a space, and is to be the token alone"
        );
    }
}
