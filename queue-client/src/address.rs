//! Which server a program is told to call.

use std::ffi::OsStr;

/// Where a server listens that was told nothing else: what programs call where they are told nothing
/// else.
pub const DEFAULT_URL: &str = "http://127.0.0.1:8080";
/// The variable that names the server where no flag does.
pub const SERVER_VARIABLE: &str = "MEMQ_SERVER";

/// The server that a flag, or else [`SERVER_VARIABLE`], names. A variable without a value is as good as
/// none; a flag without one is a mistake, and is left for [`Client`](crate::Client) to refuse.
#[must_use]
pub fn named_server(named: String) -> Option<String> {
    let variable = std::env::var_os(SERVER_VARIABLE);
    named_beside(named, variable.as_deref())
}

fn named_beside(named: String, variable: Option<&OsStr>) -> Option<String> {
    let unset = named.is_empty() && variable.is_some_and(OsStr::is_empty);
    (!unset).then_some(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_without_a_value_names_no_server() {
        let named = |named: &str, variable: Option<&str>| {
            named_beside(named.into(), variable.map(OsStr::new))
        };
        let url = Some("http://x".to_owned());
        assert_eq!(named("", Some("")), None);
        assert_eq!(named("http://x", Some("")), url);
        assert_eq!(named("http://x", Some("http://x")), url);
        assert_eq!(named("", None), Some(String::new()), "the flag's mistake");
        assert_eq!(named("", Some("http://x")), Some(String::new()));
    }
}
