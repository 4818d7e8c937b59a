"""What a check found."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from nsledger.errors import NsledgerError


class Result(StrEnum):
    """How a check ended, from good to bad."""

    OK = "ok"
    UNKNOWN = "unknown"
    """It could not be looked at; the evidence says why."""
    WARNING = "warning"
    """nsledger sees less than it could, or will some day."""
    FAILED = "failed"
    """Pods are not on record, or cannot start."""


class NotContainerdError(NsledgerError):
    """A check of containerd's configuration on a node of CRI-O."""

    def __init__(self) -> None:
        super().__init__("the runtime is CRI-O, which has no such configuration")


class CheckResult(msgspec.Struct, frozen=True):
    """One line of `nsledger doctor`."""

    check: str
    result: Result
    evidence: str
    """What was seen."""
    remedy: str = ""
    """What to do; empty where nothing has to be done."""


class Outcome(msgspec.Struct, frozen=True):
    """A finding that does not know its name yet."""

    result: Result
    evidence: str
    remedy: str = ""

    def named(self, check: str) -> CheckResult:
        """The finding of the check called so."""
        return CheckResult(check, self.result, self.evidence, self.remedy)


def of_an_image() -> Outcome:
    """There is nothing to look at before the node has started."""
    return unknown("an image does not run")


def ok(evidence: str) -> Outcome:
    """All is well."""
    return Outcome(Result.OK, evidence)


def unknown(evidence: str, remedy: str = "") -> Outcome:
    """It could not be looked at."""
    return Outcome(Result.UNKNOWN, evidence, remedy)


def warning(evidence: str, remedy: str) -> Outcome:
    """Less than could be."""
    return Outcome(Result.WARNING, evidence, remedy)


def failed(evidence: str, remedy: str) -> Outcome:
    """Something is wrong."""
    return Outcome(Result.FAILED, evidence, remedy)


def of_error(error: NsledgerError | OSError) -> Outcome:
    """What a check ended with that could not go on."""
    if isinstance(error, NotContainerdError):
        return unknown(str(error))
    if isinstance(error, PermissionError):
        place = f"{error.filename}: " if error.filename else ""
        return unknown(f"{place}{error.strerror}", "Run it as root.")
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return unknown(f"{place}{error.strerror or error}")
    return failed(str(error), error.hint)
