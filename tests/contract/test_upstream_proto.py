"""What protos/nsledger_cri.proto declares is what upstream declares."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor

from nsledger.cri.generated import nsledger_cri_pb2 as pb
from tests.contract.upstream import Upstream, described

OURS: dict[str, Descriptor] = dict(pb.DESCRIPTOR.message_types_by_name)
OUR_ENUMS: dict[str, EnumDescriptor] = dict(pb.DESCRIPTOR.enum_types_by_name)

NEWER_THAN_0_32 = {"RestorePodRequest", "RestoredContainer", "RestorePodResponse"}
"""In no Debian package yet: kubernetes/kubernetes#140366. Checked as soon as one has them."""

MUST_NOT_HAVE_A_NAME = {
    "ContainerConfig": {"command", "args", "working_dir", "envs", "mounts", "labels", "log_path"},
    "PodSandboxConfig": {"labels", "dns_config", "log_directory", "hostname"},
    "ContainerStatus": {"annotations", "labels", "mounts", "message"},
    "PodSandboxStatus": {"annotations", "labels"},
}


@pytest.mark.upstream_proto
@pytest.mark.parametrize("name", OURS)
def test_a_declared_field_has_upstreams_name_number_and_type(name: str, upstream: Upstream) -> None:
    theirs = upstream.message(name)

    if theirs is None:
        assert name in NEWER_THAN_0_32
        return

    for ours in OURS[name].fields:
        assert ours.name in theirs.fields_by_name, f"upstream's {name} has no {ours.name}"
        assert described(ours) == described(theirs.fields_by_name[ours.name]), ours.full_name


@pytest.mark.upstream_proto
@pytest.mark.parametrize("name", OUR_ENUMS)
def test_a_declared_enum_has_upstreams_names_and_numbers(name: str, upstream: Upstream) -> None:
    ours = {value.name: value.number for value in OUR_ENUMS[name].values}

    assert ours == {value.name: value.number for value in upstream.enum(name).values}


@pytest.mark.parametrize("name", MUST_NOT_HAVE_A_NAME)
def test_what_must_never_be_recorded_is_not_declared(name: str) -> None:
    declared = {field.name for field in OURS[name].fields}

    assert not declared & MUST_NOT_HAVE_A_NAME[name]


def test_our_package_is_not_upstreams() -> None:
    assert pb.DESCRIPTOR.package == "nsledger.cri.v1"
