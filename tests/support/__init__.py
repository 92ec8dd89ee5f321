"""What the tests share. A child process finds it through `TESTS` on its PYTHONPATH."""

from pathlib import Path

TESTS = str(Path(__file__).parents[1])
