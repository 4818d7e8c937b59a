"""The endpoint is set where the one in force is, and nothing else of the file changes."""

from __future__ import annotations

import pytest

from nsledger.node.kubelet import (
    ConfigurationFile,
    DropInDirectory,
    FlagInFile,
    KubeletFlagError,
    KubeletNotFoundError,
    Place,
    current_endpoint,
    find,
    with_endpoint,
)
from nsledger.node.unit_files import Setting, Unit

OURS = "unix:///run/nsledger/cri.sock"
THEIRS = "unix:///var/run/containerd/containerd.sock"

CONFIGURATION = "/var/lib/kubelet/config.yaml"
KEY = "containerRuntimeEndpoint"
FILES = {CONFIGURATION: b"kind: KubeletConfiguration\n"}


def setting(path: str, text: str) -> Setting:
    return Setting(path, text, is_unit=path.endswith(".service"))


COMMAND = setting("/k.service", "/usr/bin/kubelet --config=/var/lib/kubelet/config.yaml $ARGS")
WITH_DIRECTORY = setting("/k.service", "/usr/bin/kubelet --config a --config-dir /etc/k.d")
FLAGS = setting("/flags.env", f'ARGS="--container-runtime-endpoint={THEIRS} --v=2"')


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ((COMMAND,), ConfigurationFile(CONFIGURATION, FILES[CONFIGURATION].decode())),
        ((WITH_DIRECTORY,), DropInDirectory("/etc/k.d")),
        ((COMMAND, FLAGS), FlagInFile("/flags.env", FLAGS.text)),
        ((WITH_DIRECTORY, FLAGS), FlagInFile("/flags.env", FLAGS.text)),
    ],
    ids=["file", "directory before file", "flag before file", "flag before directory"],
)
def test_what_outdoes_all_else_is_what_is_changed(
    settings: tuple[Setting, ...], place: Place
) -> None:
    assert find(Unit(settings), FILES.get, endpoint=OURS) == place


def test_a_flag_in_the_unit_itself_is_the_admins_to_change() -> None:
    unit = Unit((setting("/k.service", f"kubelet --container-runtime-endpoint {THEIRS}"),))

    with pytest.raises(KubeletFlagError) as caught:
        find(unit, FILES.get, endpoint=OURS)

    assert caught.value.path == "/k.service"
    assert OURS in caught.value.hint


@pytest.mark.parametrize("unit", [None, Unit(()), Unit((setting("/k", "--config=/nowhere"),))])
def test_a_kubelet_that_is_not_found_is_told_with_the_endpoint(unit: Unit | None) -> None:
    with pytest.raises(KubeletNotFoundError) as caught:
        find(unit, FILES.get, endpoint=OURS)

    assert OURS in caught.value.hint


def test_only_the_flags_value_changes() -> None:
    path, text = with_endpoint(FlagInFile("/flags.env", FLAGS.text), OURS)

    assert (path, text) == ("/flags.env", FLAGS.text.replace(THEIRS, OURS))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: 1\n", f"a: 1\n{KEY}: {OURS}\n"),
        ("a: 1", f"a: 1\n{KEY}: {OURS}\n"),
        ("a: 1\r\n", f"a: 1\r\n{KEY}: {OURS}\r\n"),
        (f"{KEY}: {THEIRS}\nb: 2\n", f"{KEY}: {OURS}\nb: 2\n"),
        (f'{KEY}: ""  # none\nb: 2\n', f"{KEY}: {OURS}\nb: 2\n"),
        (f"x:\n  {KEY}: y\n", f"x:\n  {KEY}: y\n{KEY}: {OURS}\n"),
    ],
)
def test_one_line_of_the_configuration_file_changes(before: str, after: str) -> None:
    assert with_endpoint(ConfigurationFile("/c", before), OURS) == ("/c", after)


def test_a_drop_in_says_the_endpoint_alone() -> None:
    path, text = with_endpoint(DropInDirectory("/etc/k.d"), OURS)

    assert path == "/etc/k.d/zz-nsledger.conf"
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        "apiVersion: kubelet.config.k8s.io/v1beta1",
        "kind: KubeletConfiguration",
        f"containerRuntimeEndpoint: {OURS}",
    ]


@pytest.mark.parametrize(
    "place",
    [
        FlagInFile("/flags.env", FLAGS.text),
        DropInDirectory("/etc/k.d"),
        ConfigurationFile("/c", "a: 1\n"),
    ],
)
def test_what_was_set_is_what_is_read(place: Place) -> None:
    path, text = with_endpoint(place, OURS)

    match place:
        case FlagInFile():
            changed: Place = FlagInFile(path, text)
        case ConfigurationFile():
            changed = ConfigurationFile(path, text)
        case DropInDirectory():
            changed = place
    assert current_endpoint(changed, {path: text.encode()}.get) == OURS


def test_an_empty_value_is_no_endpoint() -> None:
    place = ConfigurationFile("/c", 'containerRuntimeEndpoint: ""\n')

    assert current_endpoint(place, FILES.get) is None
