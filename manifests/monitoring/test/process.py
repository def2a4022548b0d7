"""A program of ours as a process. Knows how it says where its metrics are; nothing of what it does."""

import re
import subprocess
import threading

from served import until


class Program:
    """Answers where its log says so: `said` is the pattern of that line, and its first group the address."""

    def __init__(self, words, said, env=None):
        self.address = None
        self._said = re.compile(said)
        self._log = []
        self._process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=env
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        until(f"{words[0]} says where its metrics are", lambda: self.address or self._process.poll() is not None)
        if not self.address:
            self.stop()
            raise AssertionError(f"{words[0]} ended: {self.log()}")

    def _read(self):
        # To its end: a log that nobody reads makes the program wait.
        for line in self._process.stderr:
            self._log.append(line)
            if found := self._said.search(line):
                self.address = found[1]

    def log(self):
        return "".join(self._log)

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stderr.close()
