"""`make bench [BENCH=name]`: runs tests/bench/<name>_bench.py, or all of them.

A benchmark prints a table of ratios from one run and ends with one JSON object on a line.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from tests.bench.peers import PeerMissingError

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
    code = 0
    for name in wanted:
        print(f"== {name}", flush=True)
        try:
            importlib.import_module(f"tests.bench.{name}{SUFFIX}").main()
        except PeerMissingError as error:
            print(f"cannot measure {name}: {error}", file=sys.stderr)
            code = 3
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
