"""What goes on beside a test until it is stopped. Knows nothing of what that is."""

import threading


class Steady:
    """Does its rounds again and again in a thread of its own; a round that fails is the last, and fails the test."""

    # Seconds between two rounds.
    pause = 1.0

    def __init__(self):
        self._wrong = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()

    def _go(self):
        try:
            while not self._stopped.wait(self.pause):
                self.round()
        except Exception as wrong:
            self._wrong = wrong

    def round(self):
        """What is done each time."""
        raise NotImplementedError

    def check(self):
        """Fails if it has stopped by itself."""
        if self._wrong:
            raise AssertionError(f"{type(self).__name__} went wrong") from self._wrong

    def stop(self):
        self._stopped.set()
        self._thread.join()
