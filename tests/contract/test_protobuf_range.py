"""The generated code works on the lowest and on the newest protobuf that pyproject allows."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import PROTOC

REPOSITORY = Path(__file__).parents[2]

SCRIPT = """
import google.protobuf
from nsledger.cri.generated import nsledger_cri_pb2 as pb

# Field 6, `envs`, is not declared: a KeyValue whose value is not UTF-8.
undeclared = b"\\x32\\x07\\x0a\\x01K\\x12\\x02\\xff\\xfe"
config = pb.ContainerConfig.FromString(undeclared)
request = pb.CreateContainerRequest(pod_sandbox_id="s", config=config)
ours = pb.CreateContainerRequest()
ours.config.annotations["nsledger.dev/audit-id"] = "1"
merged = pb.CreateContainerRequest.FromString(
    request.SerializeToString() + ours.SerializeToString()
)
assert merged.config.annotations == {"nsledger.dev/audit-id": "1"}, merged
assert merged.pod_sandbox_id == "s"
assert undeclared in merged.SerializeToString()
print(google.protobuf.__version__)
"""


def lowest_allowed() -> str:
    pyproject = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    for requirement in pyproject["project"]["dependencies"]:
        if found := re.match(r"protobuf>=([\d.]+)", requirement):
            return found[1]
    pytest.fail("pyproject names no lowest protobuf")


def newest_pinned() -> str:
    pins = (REPOSITORY / "requirements/run.txt").read_text(encoding="utf-8")
    found = re.search(r"^protobuf==([\d.]+)", pins, re.MULTILINE)
    assert found is not None
    return found[1]


def protobuf_of(interpreter: str | Path) -> str:
    """The version that `interpreter` has, after the generated code worked on it without warning."""
    ran = subprocess.run(
        [interpreter, "-W", "error", "-c", SCRIPT],
        env={"PYTHONPATH": str(REPOSITORY / "shim")},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return ran.stdout.strip()


@pytest.mark.protoc
def test_the_generated_code_works_on_the_lowest_protobuf() -> None:
    assert protobuf_of(PROTOC) == lowest_allowed()


def test_the_generated_code_works_on_the_newest_protobuf() -> None:
    assert protobuf_of(sys.executable) == newest_pinned()
