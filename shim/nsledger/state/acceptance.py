"""Findings that somebody has looked at and lives with: which ones, for how long, and why. Pure.

    [[accept]]
    kind = "host_namespace"
    pod = "kube-system/node-agent-*"
    types = ["net", "pid"]
    until = "2027-03-01T00:00:00Z"
    reason = "it reads the node's sockets"

An accepted finding is told apart and makes no exit status. It comes back when its time is over,
when it is of another type than was accepted, and of another pod.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from typing import Final, Self

import msgspec

from nsledger.model.instants import NotAnInstantError, unix_ns
from nsledger.model.namespaces import NamespaceType
from nsledger.state.findings import Finding, Kind

_MOST: Final = 1000
"""Rules of one file: more is no list that anybody reviewed."""


class Acceptance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule: all that it says has to hold."""

    kind: str
    """Of the finding, or a shell pattern."""
    pod: str = ""
    """`k8s_namespace/name` or a shell pattern; empty is for findings that are about no pod."""
    types: tuple[NamespaceType, ...] = ()
    """The finding may be about these types and no other; empty lets any through."""
    until: str
    """RFC 3339; from then on it is not accepted."""
    reason: str
    by: str = ""
    """Who accepted it."""
    accepted: str = ""
    """When; RFC 3339."""

    def covers(self, finding: Finding) -> bool:
        """Whether it is about `finding`, at any time."""
        if not fnmatch.fnmatchcase(finding.kind, self.kind):
            return False
        if finding.pod is None or not self.pod:
            return finding.pod is None and not self.pod
        return fnmatch.fnmatchcase(finding.pod.full_name, self.pod) and (
            not self.types or set(finding.types) <= set(self.types)
        )

    def is_over(self, now_ns: int) -> bool:
        """Whether its time is over, at `now_ns` in nanoseconds of Unix time."""
        return unix_ns(self.until) <= now_ns


class Told(Finding, frozen=True, kw_only=True):
    """A finding, and whether somebody accepted it."""

    accepted: Acceptance | None = None
    """The rule that covers it; a finding without one counts for the exit status."""

    @classmethod
    def of(cls, finding: Finding, rule: Acceptance | None = None) -> Self:
        """`finding` with its rule."""
        return cls(**msgspec.structs.asdict(finding), accepted=rule)


class NotAcceptancesError(ValueError):
    """A file that holds something else; says what was found and what was needed."""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    accept: tuple[Acceptance, ...]


def parse(content: object) -> tuple[Acceptance, ...]:
    """The rules of one file, from its TOML as plain values.

    Raises:
        NotAcceptancesError: it holds anything else, or a rule that can cover nothing.
    """
    try:
        rules = msgspec.convert(content, _File).accept
    except msgspec.ValidationError as error:
        raise NotAcceptancesError(f"{error}, needed [[accept]] tables") from error
    if len(rules) > _MOST:
        raise NotAcceptancesError(f"found {len(rules)} rules, needed at most {_MOST}")
    for rule in rules:
        if not any(fnmatch.fnmatchcase(kind, rule.kind) for kind in Kind):
            raise NotAcceptancesError(f"kind: found {rule.kind!r}, needed one of {', '.join(Kind)}")
        if not rule.reason.strip():
            raise NotAcceptancesError("reason: found none, needed why it is accepted")
        for name, time in (("until", rule.until), ("accepted", rule.accepted)):
            if name == "until" or time:
                _need_time(name, time)
    return rules


def _need_time(name: str, time: str) -> None:
    try:
        unix_ns(time)
    except (NotAnInstantError, OverflowError) as error:
        raise NotAcceptancesError(
            f"{name}: found {time!r}, needed a time such as 2027-03-01T00:00:00Z"
        ) from error


def parted(
    findings: Iterable[Finding], rules: Sequence[Acceptance], now_ns: int
) -> tuple[list[Finding], list[tuple[Finding, Acceptance]]]:
    """The findings that are open, and those that are accepted with their rule."""
    open_: list[Finding] = []
    accepted: list[tuple[Finding, Acceptance]] = []
    in_force = [rule for rule in rules if not rule.is_over(now_ns)]
    for one in findings:
        rule = next((rule for rule in in_force if rule.covers(one)), None)
        if rule is None:
            open_.append(one)
        else:
            accepted.append((one, rule))
    return open_, accepted
