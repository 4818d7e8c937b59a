"""`make bench [BENCH=name]`: runs tests/bench/<name>_bench.py, or all of them.

A benchmark prints a table of ratios from one run and ends with one JSON object on a line.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

SUFFIX = "_bench"


def main(arguments: list[str]) -> int:
    """Run the benchmark named, and return the exit code."""
    names = sorted(
        path.stem.removesuffix(SUFFIX) for path in Path(__file__).parent.glob(f"*{SUFFIX}.py")
    )
    wanted = names if arguments in ([], ["all"]) else arguments
    unknown = [name for name in wanted if name not in names]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(names)}", file=sys.stderr)
        return 2
    for name in wanted:
        print(f"== {name}")
        importlib.import_module(f"tests.bench.{name}{SUFFIX}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
