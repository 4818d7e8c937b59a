from __future__ import annotations

import typing

import pytest

from nsledger.model import events
from nsledger.model.events import Event, PodRemoved, Source, UnknownEvent, event_name
from nsledger.model.refs import PodRef

EVERY_EVENT = typing.get_args(Event)


def test_every_event_has_a_name_of_its_own_that_says_whose_it_is() -> None:
    names = [str(event.__struct_config__.tag) for event in EVERY_EVENT]

    assert len(set(names)) == len(names)
    assert all(name == name.lower() and name.count(".") <= 1 for name in names)


FAMILIES = (events.PodEvent, events.ContainerEvent, events.LedgerEvent, events.DaemonEvent)


@pytest.mark.parametrize("event", EVERY_EVENT)
def test_nobody_can_change_an_event_and_its_defaults_take_no_room(event: type) -> None:
    config = event.__struct_config__  # type: ignore[attr-defined]  # msgspec's, on every struct

    assert config.frozen
    assert config.omit_defaults
    assert config.tag_field == "event"


def test_an_event_that_is_defined_is_one_that_can_be_read() -> None:
    defined = {
        one
        for one in vars(events).values()
        if isinstance(one, type) and issubclass(one, events._Event)
    }

    assert defined - {events._Event, *FAMILIES} == set(EVERY_EVENT)


def test_no_event_belongs_to_two_families() -> None:
    for event in EVERY_EVENT:
        assert len([family for family in FAMILIES if issubclass(event, family)]) <= 1, event


def test_an_unknown_event_is_called_what_it_was_called() -> None:
    unknown = UnknownEvent(event="pod.thawed", reason="not known")

    assert event_name(unknown) == "pod.thawed"
    assert event_name(PodRemoved(source=Source.DAEMON, pod=PodRef())) == "pod.removed"
    assert UnknownEvent not in EVERY_EVENT
