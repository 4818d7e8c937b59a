from __future__ import annotations

import re

from nsledger.model.judgement import LayerPair
from nsledger.state.findings import MISMATCHES, Kind, Severity


def test_the_words_are_stable() -> None:
    assert [str(one) for one in Severity] == ["high", "medium", "low", "info"]
    assert {str(one) for one in Kind} == {
        "mismatch.requested_assigned",
        "mismatch.requested_actual",
        "mismatch.assigned_actual",
        "host_namespace",
        "hook_missing",
        "shim_bypassed",
        "foreign",
        "namespace_changed",
        "process_gone",
        "partial_read",
        "unobservable",
        "gap",
        "spool_quarantined",
        "unwatched",
        "ledger_pruned",
        "segment_altered",
    }


def test_severities_are_ranked() -> None:
    assert sorted(Severity, key=lambda one: one.rank) == list(Severity)


def test_every_kind_has_a_remedy_of_one_sentence_and_every_pair_of_layers_a_kind() -> None:
    assert all(re.fullmatch(r"[A-Z`].+\.", kind.remedy) for kind in Kind)
    assert MISMATCHES.keys() == set(LayerPair)
