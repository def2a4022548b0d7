"""Metrics of a program that cannot be started here, made up from the tables of docs/metrics.md.

The controller needs a cluster; what is made up shows that queries fit the names and labels that it is said to have, and no
more. Names and labels are held to a controller that runs by the controller's own tests.
"""

import http.server
import itertools
import re
import threading
import time

import monitoring

DOCS = monitoring.ROOT.parent / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<kind>\w+) \| [^|]* \| (?P<labels>[^|]*) \| (?P<about>.*) \|$", re.M)
# Values of labels that have one alone, or of which any may be.
ANY = {"spec": "nightly", "step": "thumbs", "program": "memq", "version": "1"}


def families(program):
    """Rows of a program's part of the page."""
    text = DOCS.read_text()
    begin = text.index(f"\n## {program}\n")
    end = text.find("\n## ", begin + 1)
    return [found.groupdict() for found in ROW.finditer(text, begin, len(text) if end < 0 else end)]


def label_sets(labels):
    """Every combination of the values of labels, as they stand in a table."""
    # What is said of a label may have semicolons, too.
    _, *parts = re.split(r"(?:^|; )`(\w+)`: ", labels)
    values = []
    for name, said in zip(parts[::2], parts[1::2], strict=True):
        values.append([(name, value) for value in ([ANY[name]] if name in ANY else re.findall(r"`([^`]+)`", said))])
    return [",".join(f'{name}="{value}"' for name, value in one) for one in itertools.product(*values)]


def lines(family, grown):
    """A family as Prometheus reads it. Whatever grows has grown so far."""
    name, kind = family["name"], family["kind"]
    yield f"# HELP {name} {family['about']}"
    yield f"# TYPE {name} {kind}"
    for labels in label_sets(family["labels"]):
        if kind == "histogram":
            bounds = [*re.search(r"Buckets: ([\d., ]+)\.", family["about"])[1].split(", "), "+Inf"]
            comma = "," if labels else ""
            for place, bound in enumerate(bounds):
                yield f'{name}_bucket{{{labels}{comma}le="{bound}"}} {grown * (place + 1)}'
            yield f"{name}_sum{{{labels}}} {grown}"
            yield f"{name}_count{{{labels}}} {grown * len(bounds)}"
        else:
            yield f"{name}{{{labels}}} {grown if kind == 'counter' else 1}"


class Exporter:
    """Answers with what is made up for a program."""

    def __init__(self, program):
        known = families(program)
        begin = time.monotonic()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                grown = int(time.monotonic() - begin) + 1
                text = "\n".join(line for family in known for line in lines(family, grown)) + "\n"
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
