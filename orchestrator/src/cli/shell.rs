//! Command lines for people to paste into a shell.

use std::path::Path;

/// The command line of this process, with this joblog.
pub(super) fn again(joblog: &Path) -> String {
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    with_joblog(words, &joblog.display().to_string())
}

/// The command line of this process.
pub(super) fn plain_again(_joblog: &Path) -> String {
    let words = std::env::args_os().map(|word| quoted(&word.to_string_lossy()));
    words.collect::<Vec<_>>().join(" ")
}

fn with_joblog(mut words: Vec<String>, joblog: &str) -> String {
    let given = words
        .iter()
        .any(|word| word == "--joblog" || word.starts_with("--joblog="));
    if !given {
        words.extend(["--joblog".to_owned(), joblog.to_owned()]);
    }
    words
        .iter()
        .map(|word| quoted(word))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A word as a shell reads it back.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-+=./:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_on_is_the_same_command_with_its_joblog() {
        let words = |text: &str| text.split('|').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            with_joblog(
                words("memq|run|my spec.yaml|-p|who=it's"),
                ".memq/runs/x/joblog.ndjson"
            ),
            r"memq run 'my spec.yaml' -p 'who=it'\''s' --joblog .memq/runs/x/joblog.ndjson"
        );
        assert_eq!(
            with_joblog(words("memq|run|d|--joblog=log"), "log"),
            "memq run d --joblog=log"
        );
    }
}
