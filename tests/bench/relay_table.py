"""The figures of the relay's benchmark, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping

from tests.bench import cells, routes
from tests.bench.cells import STREAM, Effort, Rounds

_HEADING = (
    f"{'cell and route':<38}{'p50 us':>9}{'p99 us':>9}{'+p50 us':>9}{'x nginx':>9}"
    f"{'calls/s':>9}{'cpu us':>8}"
)


def show(rounds: Rounds, effort: Effort) -> None:
    """One line for each cell and route: medians over the rounds."""
    print(f"{effort.rounds} interleaved rounds; + is beside direct, x in units of nginx's own +")
    print(_HEADING)
    for cell in cells.cells(effort):
        print(cell.name)
        per_call = effort.streamed if cell.kind == STREAM else 1
        for route in cell.among:
            print(f"  {route:<36}" + _line(rounds, cell, route, per_call))


def _line(rounds: Rounds, cell: cells.Cell, route: str, per_call: int) -> str:
    def median(figure: str) -> float:
        return rounds.median(
            cell.kind, cell.callers, route, lambda taken: float(getattr(taken, figure))
        )

    line = f"{median('p50_us'):>9.0f}{median('p99_us'):>9.0f}"
    if route == routes.DIRECT:
        line += f"{'':>18}"
    else:
        line += f"{rounds.added_us(cell.kind, cell.callers, route):>9.0f}"
        line += f"{rounds.added_ratio(cell.kind, cell.callers, route):>9.2f}"
    line += f"{median('calls_per_s') * per_call:>9.0f}"
    return line + ("" if route == routes.DIRECT else f"{median('cpu_us') / per_call:>8.1f}")


def show_alone(figures: Mapping[str, float]) -> None:
    """What is no call's figure."""
    for name, figure in figures.items():
        print(f"{name:<38}{figure:>9.2f}")
