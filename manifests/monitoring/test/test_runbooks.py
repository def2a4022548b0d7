"""What runbooks tell an operator to type is there: commands of memq with their flags, calls of the API, metrics, links."""

import functools
import json
import re
import shlex
import subprocess
import unittest

import monitoring
from served import BOUND, PROGRAMS

DOCS = monitoring.ROOT.parent / "docs"
PAGES = [*sorted((DOCS / "runbooks").glob("*.md")), DOCS / "monitoring.md"]
# A command stands on a line of its own, or between backticks.
COMMAND = re.compile(r"(?:^|`)(memq [a-z][^`\n#]*)", re.M)


@functools.cache
def help_of(command):
    """What a command of memq says of itself; None if there is none of that name."""
    done = subprocess.run([PROGRAMS / "memq", *command, "--help"], capture_output=True, text=True, timeout=BOUND)
    return done.stdout if done.returncode == 0 else None


def wrong(line):
    """What is wrong with a command; None if nothing is."""
    words = shlex.split(line)[1:]
    names = []
    for word in words:
        # Values stand in capitals, and paths and flags begin otherwise.
        if not re.fullmatch("[a-z]+", word) or help_of((*names, word)) is None:
            break
        names.append(word)
    # Those that hand their words to another program know all of them; their own names do not count as commands then.
    said = help_of(tuple(names)) if names else None
    if said is None:
        return "no such command"
    for flag in (word.partition("=")[0] for word in words if word.startswith("-")):
        if not re.search(rf"(?<![-\w]){re.escape(flag)}(?![-\w])", said):
            return f"no flag {flag}"
    return None


class Runbooks(unittest.TestCase):
    def test_commands_of_memq_are_there(self):
        found = 0
        for page in PAGES:
            for command in COMMAND.findall(page.read_text()):
                with self.subTest(page=page.name, command=command):
                    self.assertIsNone(wrong(command.strip()))
                found += 1
        self.assertGreater(found, 30)

    def test_a_command_that_is_not_there_is_found(self):
        self.assertEqual(wrong("memq queue items QUEUE --stat dead"), "no flag --stat")
        self.assertEqual(wrong("memq quene ls"), "no such command")
        self.assertIsNone(wrong("memq queue items QUEUE --state dead"))

    def test_calls_of_the_api_are_there(self):
        known = json.loads((DOCS / "openapi.json").read_text())["paths"]
        patterns = [re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path)) for path in known]
        found = 0
        for page in PAGES:
            for path in re.findall(r"(?:\$MEMQ_SERVER|127\.0\.0\.1:8080)(/[^\s\"'?`)]*)", page.read_text()):
                with self.subTest(page=page.name, path=path):
                    self.assertTrue(any(re.fullmatch(pattern, path) for pattern in patterns))
                found += 1
        self.assertGreater(found, 5)

    def test_metrics_are_there(self):
        known = (DOCS / "metrics.md").read_text()
        for page in PAGES:
            for name in re.findall(r"\bmemq_[a-z_]+[a-z]\b", page.read_text()):
                with self.subTest(page=page.name, name=name):
                    # Some are patterns, and some one of the series of a histogram.
                    self.assertIn(f"`{re.sub('_(count|bucket|sum)$', '', name)}", known)

    def test_links_lead_somewhere(self):
        for page in PAGES:
            for link in re.findall(r"\]\(([^)#]*)(?:#[^)]*)?\)", page.read_text()):
                if link and not link.startswith("http"):
                    with self.subTest(page=page.name, link=link):
                        self.assertTrue((page.parent / link).exists())


if __name__ == "__main__":
    unittest.main()
