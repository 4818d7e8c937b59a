"""An endpoint is read in every form that people write, and what is no socket is named."""

from __future__ import annotations

import pytest

from nsledger.model.endpoint import EndpointError, is_same_socket, socket_path

PATH = "/run/containerd/containerd.sock"


@pytest.mark.parametrize(
    "text",
    [
        f"unix://{PATH}",
        f"unix:{PATH}",
        PATH,
        f"{PATH}  ",
        f" unix://{PATH}\n",
        f"UNIX://{PATH}",
        "unix:///run/containerd/%63ontainerd.sock",
    ],
)
def test_every_form_names_the_same_path(text: str) -> None:
    assert socket_path(text) == PATH
    assert is_same_socket(text, PATH)


def test_a_relative_path_stays_one() -> None:
    assert socket_path("cri.sock") == "cri.sock"
    assert socket_path("run/a:b") == "run/a:b"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "nothing"),
        ("  ", "nothing"),
        ("tcp://127.0.0.1:10010", "the scheme tcp"),
        ("npipe:////./pipe/containerd", "the scheme npipe"),
        ("http://x", "the scheme http"),
        ("127.0.0.1:10010", "a host and a port"),
        ("localhost:10010", "a host and a port"),
        ("[::1]:10010", "a host and a port"),
        ("@/run/x", "an abstract socket"),
        ("/run/\0x", "an abstract socket"),
        ("unix-abstract:/x", "the scheme unix-abstract"),
        ("unix://run/containerd.sock", "'run' as a host"),
        ("unix://", "no path"),
        ("unix:///", "no path"),
        ("unix:", "no absolute path"),
        ("unix:cri.sock", "no absolute path"),
        ("/run/x/", "a directory"),
        (f"/run/{'x' * 103}", "more than 107 bytes"),
    ],
)
def test_what_is_no_unix_socket_is_refused_by_name(text: str, found: str) -> None:
    with pytest.raises(EndpointError, match="found") as caught:
        socket_path(text)

    assert found in str(caught.value)
    assert repr(text) in str(caught.value)
    assert caught.value.hint
    assert not is_same_socket(text, text)


def test_an_endpoint_that_nobody_states_is_no_socket() -> None:
    assert not is_same_socket(None, PATH)
