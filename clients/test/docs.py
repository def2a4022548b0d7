"""The examples in docs/: each block of code that a comment above it names."""

from __future__ import annotations

import re

from served import ROOT


def block(name: str, mark: str = "test", page: str = "clients.md") -> str:
    """The code under `<!-- test: NAME -->`."""
    text = (ROOT / "docs" / page).read_text()
    found = re.search(rf"<!-- {mark}: {re.escape(name)} -->\n```\w+\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise AssertionError(f"docs/{page} has no block of code under <!-- {mark}: {name} -->")
    return found[1]
