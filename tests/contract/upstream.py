"""Upstream's CRI messages, compiled when a test asks for them: the repository has none of them.

They live in a descriptor pool of their own, beside nsledger's.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from random import Random
from typing import Any, cast

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

GOGO_ONLY = re.compile(r'^import "github\.com/gogo/.*$|^option \(gogoproto\..*$', re.MULTILINE)
"""How old versions told a Go generator about Go; nothing on the wire depends on it."""

PLANTED = "planted-"
"""Every text that `Filler` writes begins with it, and no two are the same."""


class Upstream:
    """The messages of package `runtime.v1`."""

    def __init__(self, source: Path, *, protoc: Path, into: Path) -> None:
        (into / "api.proto").write_text(GOGO_ONLY.sub("", source.read_text(encoding="utf-8")))
        subprocess.run(
            [protoc, "-m", "grpc_tools.protoc", f"-I{into}", f"-o{into}/api.pb", "api.proto"],
            check=True,
            timeout=60,
        )
        files = descriptor_pb2.FileDescriptorSet.FromString((into / "api.pb").read_bytes())
        pool = DescriptorPool()
        for file in files.file:
            pool.Add(file)
        self._file = pool.FindFileByName("api.proto")

    def message(self, name: str) -> Descriptor | None:
        """The descriptor of one message; None if this version has none of that name."""
        return self._file.message_types_by_name.get(name)

    def enum(self, name: str) -> EnumDescriptor:
        """The descriptor of one enum."""
        return self._file.enum_types_by_name[name]

    def class_of(self, name: str) -> Any:  # noqa: ANN401  it exists at run time only
        """The class of one message."""
        return GetMessageClass(self._file.message_types_by_name[name])


def described(field: FieldDescriptor) -> dict[str, object]:
    """What decides how a field is read and written, names without their package."""
    return {
        "number": field.number,
        "type": field.type,
        "is_repeated": field.is_repeated,
        "has_presence": field.has_presence,
        "message": field.message_type and field.message_type.name,
        "is_map": bool(field.message_type and field.message_type.GetOptions().map_entry),
        "enum": field.enum_type and field.enum_type.name,
    }


class Filler:
    """Fills messages at random, by their descriptors: every field, or about two thirds of them."""

    def __init__(self, seed: int, *, every_field: bool) -> None:
        self._random = Random(seed)
        self._every_field = every_field
        self.texts: dict[str, str] = {}
        """The path of every text written, such as `config.metadata.name`, by the text."""

    def fill(self, message: Message, path: str = "") -> None:
        """Give the fields of `message` values that are not their defaults."""
        for field in cast("Descriptor", message.DESCRIPTOR).fields:
            if not self._every_field and self._random.random() < 1 / 3:
                continue
            self._fill_field(message, field, f"{path}.{field.name}".lstrip("."))

    def _fill_field(self, message: Message, field: FieldDescriptor, path: str) -> None:
        value = getattr(message, field.name)
        entry = field.message_type
        if entry is not None and entry.GetOptions().map_entry:
            to = entry.fields_by_name["value"]
            for _ in range(2):
                key = self._scalar(entry.fields_by_name["key"], path)
                if to.message_type is None:
                    value[key] = self._scalar(to, path)
                else:
                    self.fill(value[key], path)
        elif entry is not None:
            for one in [value.add(), value.add()] if field.is_repeated else [value]:
                one.SetInParent()
                self.fill(one, path)
        elif field.is_repeated:
            value.extend([self._scalar(field, path) for _ in range(2)])
        else:
            setattr(message, field.name, self._scalar(field, path))

    def _scalar(self, field: FieldDescriptor, path: str) -> Any:  # noqa: ANN401  of any type
        match field.cpp_type:
            case FieldDescriptor.CPPTYPE_STRING:
                text = f"{PLANTED}{self._random.randbytes(8).hex()}"
                self.texts[text] = path
                return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
            case FieldDescriptor.CPPTYPE_BOOL:
                return True
            case FieldDescriptor.CPPTYPE_ENUM:
                assert field.enum_type is not None
                return self._random.choice(field.enum_type.values).number
            case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
                return self._random.random()
            case _:
                return self._random.randrange(1, 2**31)
