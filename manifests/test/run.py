"""Runs the tests of the manifests, or of the folder that is named, and sums them up in the form of Rust's test programs."""

import pathlib
import sys
import unittest


def main():
    here = pathlib.Path(sys.argv[1] if sys.argv[1:] else __file__)
    here = (here if here.is_dir() else here.parent).resolve()
    suite = unittest.defaultTestLoader.discover(str(here))
    result = unittest.TextTestRunner(verbosity=1).run(suite)
    # A test of many objects notes each that is wrong; it is one test all the same.
    failed = len({test_of(test) for test, _ in result.failures + result.errors})
    passed = result.testsRun - failed - len(result.skipped)
    good = result.wasSuccessful() and result.testsRun > 0
    print(
        f"test result: {'ok' if good else 'FAILED'}. {passed} passed; {failed} failed; {len(result.skipped)} ignored; "
        "0 measured; 0 filtered out"
    )
    return 0 if good else 1


def test_of(test):
    return getattr(test, "test_case", test).id()


if __name__ == "__main__":
    sys.exit(main())
