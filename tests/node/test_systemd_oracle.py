"""systemd itself says what argv a service gets: ours has to be the same, however odd the unit.

A user manager runs in a mount namespace of its own, with the unit path of the system's directories
below a temporary root, and starts every service once; each writes down what it was given.
"""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from nsledger.node.root import Host
from nsledger.node.unit_files import DIRECTORIES, read_unit

SYSTEMD = Path("/usr/lib/systemd/systemd")
PLACE = "/run/nsledger-oracle"
"""The one directory that the manager and the root have in common."""
LIMIT_S = 60.0
ETC, RUN, USR = "/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not SYSTEMD.exists(), reason="not installed: systemd"),
]

TELLS = f"""#!/usr/bin/python3 -IS
import json, os, sys
with open("{PLACE}/out/" + os.environ["CASE"], "w") as file:
    variables = {{name: os.environ[name] for name in "ABC" if name in os.environ}}
    json.dump([sys.argv[1:], variables], file)
"""

MANAGER = """
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/user-manager {place}
mount --bind {root}{place} {place}
export XDG_RUNTIME_DIR=/run/user-manager SYSTEMD_UNIT_PATH={path} SYSTEMD_LOG_TARGET=console
exec {systemd} --user --unit=oracle.target --log-level=err
"""

Answer = tuple[list[str], dict[str, str]]


def asked(root: Path, files: Mapping[str, str], names: list[str]) -> dict[str, Answer]:
    """Arguments and variables of each service as systemd gives them; without those it refuses."""
    place = root / PLACE.lstrip("/")
    (place / "out").mkdir(parents=True)
    base = root / "base"
    wanted = " ".join(names)
    units = {f"{name}.target": "[Unit]\n" for name in ("basic", "shutdown", "exit", "sysinit")}
    units["oracle.target"] = f"[Unit]\nWants={wanted} done.service\n"
    units["done.service"] = (
        f"[Unit]\nAfter={wanted}\n[Service]\nType=oneshot\nExecStart=/usr/bin/touch {PLACE}/done\n"
    )
    written = {f"/base/{name}": text for name, text in units.items()} | dict(files)
    for path, text in written.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    tells = place / "tell"
    tells.write_text(TELLS)
    tells.chmod(0o755)
    path = ":".join([*(f"{root}{one}" for one in DIRECTORIES), str(base)])
    script = MANAGER.format(root=root, place=PLACE, path=path, systemd=SYSTEMD)
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as manager:
        deadline = time.monotonic() + LIMIT_S
        while not (place / "done").exists() and time.monotonic() < deadline:
            if manager.poll() is not None:
                break
            time.sleep(0.05)
        manager.kill()
        said = manager.communicate()[1].decode()
    assert (place / "done").exists(), said
    return {file.name: tuple(json.loads(file.read_text())) for file in (place / "out").iterdir()}


def computed(root: Path, names: list[str]) -> dict[str, Answer]:
    found: dict[str, Answer] = {}
    for name in names:
        unit = read_unit(name, Host.at(str(root)))
        assert unit is not None, name
        variables = {key: value for key, value in unit.environment.items() if key in "ABC"}
        found[name] = list(unit.argv[1:]), variables
    return found


def service(name: str, lines: str) -> str:
    return f"[Service]\nType=oneshot\nEnvironment=CASE={name}\n{lines}\n"


KUBEADM = """\
[Service]
Environment="A=--kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="B=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-{place}/flags.env
EnvironmentFile=-{place}/%p-default
ExecStart=
ExecStart={place}/tell $A $B $C $KUBELET_EXTRA_ARGS
"""


def test_a_kubeadm_node_with_drop_ins_of_all_places(tmp_path: Path) -> None:
    name = "kubelet.service"
    files = {
        f"{USR}/{name}": service(name, "ExecStart=/usr/bin/false"),
        f"{USR}/{name}.d/10-kubeadm.conf": KUBEADM.format(place=PLACE),
        f"{USR}/{name}.d/20.conf": "[Service]\nEnvironment=C=usr\n",
        f"{RUN}/{name}.d/20.conf": "[Service]\nEnvironment=C=run X=1\n",
        f"{ETC}/{name}.d/15.conf": "[Service]\nEnvironment='A=a b' \\\n# no\n  'B=${{A}} %n'\n",
        f"{USR}/service.d/20.conf": "[Service]\nEnvironment=C=any\n",
        f"{ETC}/service.d/30.conf": "[Service]\nEnvironment=Y=any\n",
        f"{PLACE}/flags.env": "C=\"--endpoint='unix:///run/x y' --z\"\n",
        f"{PLACE}/kubelet-default": 'KUBELET_EXTRA_ARGS=--a="1" --b \\\n--c\n',
    }

    said = asked(tmp_path, files, [name])

    assert said == computed(tmp_path, [name])
    assert said[name][0][-3:] == ["--a=1", "--b", "--c"]


PIECES = [
    *("a", "bc", "--flag=x", "'d e'", '"f g"', '"h\\"i"', "j'k'l", "\\x41", "\\101", "\\s", "\\\\"),
    *("$A", "${A}", "x${B}y", "$$A", "$${A}", "$C", "${NO}", "$NO", "x$A", "${A}${B}", "'$A'"),
    *(
        "%n",
        "%N",
        "%p",
        "%%",
        "x%py",
        f"; {PLACE}/tell",
        "\\;",
        "';'",
        "\\\n ",
        "\\\n# c\n ",
        "é",
        "\\q",
        "''",
    ),
    *('"open', "'", "\\u00e9", "\\t", "$", "${", "${A", "=", "\"a\"'b'", "%"),
]
VALUES = [
    *(
        "1",
        "2 3",
        '"4 5"',
        "'6 \"7'",
        "\\8",
        '"9\\$"',
        '"a\\\nb"',
        "c\\\nd",
        "\"e\" 'f'",
        "g#h",
        " i ",
    ),
    *("'j\\k'", '"l\\m\\\\"', "n'o p'", '"q\nr"', "${A}", "%p", "s\\", "", "\\ t", "é", "u \\v"),
]


def odd_unit(seed: int, name: str) -> dict[str, str]:
    """Files of a service made of what is easily misread."""
    chance = random.Random(seed)

    def some(pieces: list[str], most: int) -> list[str]:
        return [chance.choice(pieces) for _ in range(chance.randint(0, most))]

    quoted = [piece for piece in PIECES if "\n" not in piece]
    lines = [
        f"Environment={chance.choice('ABC')}={' '.join(some(['B=1', *quoted], 4))}",
        f'Environment="{chance.choice("ABC")}={" ".join(some(["1", "2 3", "%n", "${A}"], 3))}"',
        f"EnvironmentFile=-{PLACE}/{name}.env",
        f"EnvironmentFile=-{PLACE}/%N.e*",
        f"UnsetEnvironment={chance.choice(['', 'A', 'B C'])}",
        chance.choice(["# Environment=A=no \\", "; x", "", "Environment=", "[Unit]\n[Service]"]),
    ]
    chance.shuffle(lines)
    lines = [*lines[: chance.randint(0, 6)], f"Environment=CASE={name}"]
    prefix = chance.choice(["", "", "-", ":", "@"])
    program = f"{PLACE}/tell{' tell' if prefix == '@' else ''}"
    lines.append(f"ExecStart={prefix}{program} {' '.join(some(PIECES, 6))}")
    variables = "".join(
        f"{chance.choice(['', ' ', '# ', ';', 'export '])}{chance.choice('ABC')}"
        f"{chance.choice(['=', ' = ', '= ', ''])}{''.join(some(VALUES, 2))}"
        f"{chance.choice([chr(10), chr(13) + chr(10), '  ' + chr(10)])}"
        for _ in range(chance.randint(0, 4))
    )
    unit = "[Service]\nType=oneshot\n" + "\n".join(lines) + "\n"
    return {f"{USR}/{name}": unit, f"{PLACE}/{name}.env": variables}


@pytest.mark.parametrize("seed", [1, 2])
def test_units_of_what_is_easily_misread(seed: int, tmp_path: Path) -> None:
    names = [f"kubelet-{number}.service" for number in range(150)]
    files: dict[str, str] = {}
    for number, name in enumerate(names):
        files |= odd_unit(seed * 1000 + number, name)

    said = asked(tmp_path, files, names)

    ours = computed(tmp_path, list(said))
    wrong = {name: (said[name], ours[name]) for name in said if said[name] != ours[name]}
    assert not wrong
    assert len(said) > 100
