"""When each alert fires, and when it does not: near cases on both sides, and ordinary ones.

Texts are written out as an operator will read them. Knows nothing of how rules are written or judged.
"""

from . import queues, runs, server
from .common import Fires

CASES = server.CASES + queues.CASES + runs.CASES

__all__ = ["CASES", "Fires"]
