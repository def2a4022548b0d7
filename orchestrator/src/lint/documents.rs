//! A text as its documents, each with its own text for readers that take one alone.

use crate::spec::{Fault, Node, NodeValue, documents};

/// A document of a file.
#[derive(Debug)]
pub(super) struct Document {
    /// What it holds.
    pub(super) node: Node,
    /// The file's text with the other documents' lines empty: places in it are places in the file.
    pub(super) text: String,
}

/// The documents of a text that hold anything.
pub(super) fn read(text: &str) -> Result<Vec<Document>, Fault> {
    let nodes = documents(text)?;
    let nodes = nodes
        .into_iter()
        .filter(|node| node.value != NodeValue::Null);
    Ok(nodes
        .map(|node| Document {
            text: alone(text, node.place.line),
            node,
        })
        .collect())
}

/// The text with every document empty but the one that holds this line.
fn alone(text: &str, line: u64) -> String {
    let line = usize::try_from(line).unwrap_or(1).saturating_sub(1);
    let lines: Vec<_> = text.lines().collect();
    let is_mark = |text: &&str| *text == "---" || *text == "..." || text.starts_with("--- ");
    let before = lines.iter().take(line).rposition(is_mark);
    let first = before.map_or(0, |mark| mark + 1);
    let last = lines
        .iter()
        .enumerate()
        .skip(line + 1)
        .find(|(_, text)| is_mark(text))
        .map_or(lines.len(), |(at, _)| at);
    let mut alone = "\n".repeat(first);
    for text in &lines[first..last] {
        alone.push_str(text);
        alone.push('\n');
    }
    alone
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn places_in_a_document_are_places_in_its_file() {
        let text = "# first\na: 1\n---\n---\n# third\nb:\n  - 2\n---\nc: 3\n";
        let found = read(text).expect("YAML");
        let lines: Vec<_> = found.iter().map(|d| d.node.place.line).collect();
        assert_eq!(lines, [2, 6, 9], "an empty one is none");
        assert_eq!(found[1].text, "\n\n\n\n# third\nb:\n  - 2\n");
    }
}
