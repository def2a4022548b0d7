"""Prometheus and promtool. Knows where they are, how to start one and how to ask it; nothing of what it is asked.

MEMQ_PROMETHEUS and MEMQ_PROMTOOL name them, which `cargo xtask test` sets.
"""

import json
import os
import pathlib
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from served import BOUND, until


def promtool(*words, text=None):
    """What promtool says, and whether it was content."""
    done = subprocess.run(
        [os.environ["MEMQ_PROMTOOL"], *map(str, words)],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BOUND,
    )
    return done.returncode == 0, done.stdout


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Prometheus:
    """One that scrapes each second, in a folder of its own. `targets` are the addresses and labels of each job."""

    def __init__(self, folder, rules, targets):
        self._folder = pathlib.Path(folder)
        jobs = [
            {"job_name": job, "static_configs": [{"targets": [address], "labels": labels} for address, labels in these]}
            for job, these in targets.items()
        ]
        # JSON is YAML.
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rules)],
            "scrape_configs": jobs,
        }
        (self._folder / "prometheus.yml").write_text(json.dumps(config))
        self.targets = {address for these in targets.values() for address, _ in these}
        self.url = f"http://127.0.0.1:{free_port()}"
        self._log = (self._folder / "prometheus.log").open("w")
        self._process = subprocess.Popen(
            [
                os.environ["MEMQ_PROMETHEUS"],
                f"--config.file={self._folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address={self.url.removeprefix('http://')}",
                "--log.level=warn",
            ],
            stdout=self._log,
            stderr=self._log,
        )
        until("Prometheus is ready", self._is_ready)

    def log(self):
        return (self._folder / "prometheus.log").read_text()

    def _is_ready(self):
        if self._process.poll() is not None:
            raise AssertionError(f"Prometheus ended: {self.log()}")
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=BOUND):
                return True
        except OSError:
            return False

    def ask(self, path, **parameters):
        """The data of an answer; its error, if that is what it is."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters, doseq=True)}"
        try:
            with urllib.request.urlopen(url, timeout=BOUND) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"Prometheus refuses {parameters}: {json.load(refused).get('error')}") from None

    def values(self, expr):
        """Values of an expression now, one a series."""
        return [float(series["value"][1]) for series in self.ask("query", query=expr)["result"]]

    def labels(self, expr, label):
        """Values that a label has now among the series of an expression."""
        return {series["metric"].get(label, "") for series in self.ask("query", query=expr)["result"]}

    def values_since(self, expr, start, end):
        """All values of an expression in a time."""
        found = self.ask("query_range", query=expr, start=start, end=end, step="1s")["result"]
        return [float(value) for series in found for _, value in series["values"]]

    def stop(self):
        self._process.terminate()
        self._process.wait()
        self._log.close()
