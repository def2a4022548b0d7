"""What the page computes and does not show: tests of its own, run by the node that Playwright's driver brings."""

import subprocess
import unittest

from playwright._impl._driver import compute_driver_executable

from served import BOUND, ROOT


class Modules(unittest.TestCase):
    def test_the_parts_that_show_nothing(self) -> None:
        node, _ = compute_driver_executable()
        tests = sorted((ROOT / "queue-server/ui/test").glob("*.test.js"))
        self.assertGreater(len(tests), 3)
        told = subprocess.run([node, "--test", *tests], capture_output=True, text=True, timeout=BOUND, check=False)
        self.assertEqual(told.returncode, 0, told.stdout + told.stderr)
        self.assertIn("fail 0", told.stdout)


if __name__ == "__main__":
    unittest.main()
