"""Adds annotations to a request: its bytes stay as they were sent, and ours come after them.

Protobuf merges: a parser that meets a message field twice takes both, and of two map entries with
one key the later (encoding guide, "Last One Wins"). So the addition is a second, small message that
holds nothing but annotations, and what the kubelet sent is a prefix of what the runtime gets: no
field is re-encoded, known or not. That is the reason; it takes about as long as re-encoding would
(`make bench BENCH=annotate`).

The price is that nothing can be taken away. A key under our prefix that somebody else put there
and that we do not set is emptied instead, so that nobody can write in our name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping

from nsledger.cri.annotations import PREFIX
from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.messages import parse


def annotate_run_pod_sandbox(message: bytes, annotations: Mapping[str, str]) -> bytes:
    """`message`, a RunPodSandboxRequest with a config, with `annotations` in its config.

    Without annotations the very same bytes.

    Raises:
        UndecodableError: it is no such request.
    """
    if not annotations:
        return message
    theirs, ours = parse(pb.RunPodSandboxRequest, message), pb.RunPodSandboxRequest()
    _add(ours.config.annotations, annotations, theirs.config.annotations)
    return message + ours.SerializeToString()


def annotate_create_container(
    message: bytes, annotations: Mapping[str, str], *, has_sandbox_config: bool
) -> bytes:
    """`message`, a CreateContainerRequest with a config, with `annotations` in its config.

    Also in its sandbox_config, if it has one: runtimes copy to a container what either of them
    says. Without annotations the very same bytes.

    Raises:
        UndecodableError: it is no such request.
    """
    if not annotations:
        return message
    theirs, ours = parse(pb.CreateContainerRequest, message), pb.CreateContainerRequest()
    _add(ours.config.annotations, annotations, theirs.config.annotations)
    if has_sandbox_config:
        _add(ours.sandbox_config.annotations, annotations, theirs.sandbox_config.annotations)
    return message + ours.SerializeToString()


def _add(
    ours: MutableMapping[str, str], additions: Mapping[str, str], theirs: Iterable[str]
) -> None:
    for key in theirs:
        if key.startswith(PREFIX):
            ours[key] = ""
    for key, value in additions.items():  # half the time of the map's update()
        ours[key] = value
