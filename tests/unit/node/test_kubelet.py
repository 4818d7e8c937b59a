"""What the kubelet is told is changed where it is in force, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from nsledger.errors import NsledgerError
from nsledger.node import kubelet
from nsledger.node.kubelet import (
    KubeletDiffersError,
    KubeletFlagError,
    KubeletNotFoundError,
    edit,
    read,
    require_as_computed,
)
from nsledger.node.kubelet_configuration import KEY, KubeletConfigurationError
from nsledger.node.unit_files import Overlaid
from tests.unit.node.nodes import CONFIG, DROP_IN, KUBEADM, UNIT, node

OURS = "unix:///run/nsledger/cri.sock"
THEIRS = "unix:///run/containerd/containerd.sock"
FLAG = kubelet.ENDPOINT_FLAG
FLAGS_ENV, DEFAULT = "/var/lib/kubelet/kubeadm-flags.env", "/etc/default/kubelet"
ETC_DROP_IN = "/etc/systemd/system/kubelet.service.d/20.conf"
CONF_D = "/etc/kubernetes/kubelet.conf.d"
WITH_DIRECTORY = {
    UNIT: f"[Service]\nExecStart=/usr/bin/kubelet --config={CONFIG} --config-dir={CONF_D}\n",
    CONFIG: f"kind: KubeletConfiguration\n{KEY}: {THEIRS}\n",
}

Nodes = dict[str, str | bytes]


def changed(root: Path, files: Nodes) -> tuple[str, str]:
    """The file that is changed and its new text; its kubelet then gets our endpoint."""
    host = node(root, files)
    path, data = edit(host, read(host, endpoint=OURS), OURS)
    again = read(Overlaid(host, path, data), endpoint=OURS)
    assert again.endpoint == OURS
    return path, data.decode()


@pytest.mark.parametrize(
    ("files", "path", "old"),
    [
        ({CONFIG: f"a: 1\n{KEY}: {THEIRS}\n"}, CONFIG, THEIRS),
        ({DEFAULT: f'KUBELET_EXTRA_ARGS=--x {FLAG}="{THEIRS}"\n'}, DEFAULT, THEIRS),
        ({DEFAULT: f"KUBELET_EXTRA_ARGS='--x {FLAG} {THEIRS}'\n"}, DEFAULT, THEIRS),
        ({DEFAULT: f'KUBELET_EXTRA_ARGS={FLAG}=unix:"///run/x"\n'}, DEFAULT, 'unix:"///run/x"'),
        ({DEFAULT: f"KUBELET_EXTRA_ARGS=--container_runtime_endpoint={THEIRS}\n"}, DEFAULT, THEIRS),
        (
            {
                FLAGS_ENV: f'KUBELET_KUBEADM_ARGS="{FLAG}={THEIRS}"\n',
                DEFAULT: f'KUBELET_EXTRA_ARGS="{FLAG} unix:///run/x.sock"\n',
            },
            DEFAULT,
            "unix:///run/x.sock",
        ),
        (
            {DEFAULT: f"# KUBELET_EXTRA_ARGS={FLAG}=unix:///no\nUNUSED={FLAG}=unix:///no\n"}
            | {FLAGS_ENV: f"KUBELET_KUBEADM_ARGS={FLAG}={THEIRS}\n"},
            FLAGS_ENV,
            THEIRS,
        ),
        (
            {DEFAULT: f'KUBELET_EXTRA_ARGS="--a \\\n{FLAG} \\\n /run/x.sock \\\n"\n'},
            DEFAULT,
            "/run/x.sock",
        ),
        (
            {ETC_DROP_IN: f"[Service]\nEnvironment='KUBELET_EXTRA_ARGS=--a {FLAG}={THEIRS}'\n"},
            ETC_DROP_IN,
            THEIRS,
        ),
        (
            {ETC_DROP_IN: f"[Service]\nExecStart=\nExecStart=k \\\n {FLAG} {THEIRS} \\\n -x\n"},
            ETC_DROP_IN,
            THEIRS,
        ),
        (
            {
                ETC_DROP_IN: f"[Service]\nExecStart=\nExecStart=kubelet {FLAG}=${{EP}}\n",
                DEFAULT: f"EP={THEIRS}\n",
            },
            DEFAULT,
            THEIRS,
        ),
        ({DEFAULT: f"KUBELET_EXTRA_ARGS={FLAG}={THEIRS} -- {FLAG}=/no\n"}, DEFAULT, THEIRS),
    ],
)
def test_the_one_that_is_in_force_is_changed_and_nothing_else(
    files: Nodes, path: str, old: str, tmp_path: Path
) -> None:
    nodes: Nodes = {**KUBEADM, **files}

    found = changed(tmp_path, nodes)

    before = nodes[path]
    assert isinstance(before, str)
    assert found == (path, before.replace(old, OURS))


def test_an_empty_flag_gets_its_value(tmp_path: Path) -> None:
    path, text = changed(tmp_path, {**KUBEADM, DEFAULT: f"KUBELET_EXTRA_ARGS={FLAG}= --v=2\n"})

    assert (path, text) == (DEFAULT, f"KUBELET_EXTRA_ARGS={FLAG}={OURS} --v=2\n")


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({UNIT: f"[Service]\n#\nExecStart=kubelet \\\n {FLAG}={THEIRS}\n"}, f"{UNIT}:4"),
        (
            {UNIT: f"[Service]\nExecStart=sh -c 'exec kubelet {FLAG}={THEIRS}'\n"},
            f"{UNIT}:2",
        ),
        (
            {
                **KUBEADM,
                DEFAULT: f"KUBELET_EXTRA_ARGS={FLAG}={THEIRS} --image-service-endpoint=x\nEP=1",
                ETC_DROP_IN: f"[Service]\nExecStart=\nExecStart=kubelet {FLAG}=unix://${{S}} $S",
                FLAGS_ENV: "S=/run/x.sock\n",
            },
            f"{ETC_DROP_IN}:3",
        ),
        (
            {
                **KUBEADM,
                DEFAULT: f"S={THEIRS}\n",
                ETC_DROP_IN: f"[Service]\nExecStart=\nExecStart=kubelet {FLAG}=${{S}} --y=${{S}}",
            },
            f"{DEFAULT}:1",
        ),
        ({**KUBEADM, DEFAULT: f"KUBELET_EXTRA_ARGS={FLAG} ''\n"}, f"{UNIT}:2"),
    ],
    ids=["a package's unit", "a shell's script", "two files", "used twice", "an empty word"],
)
def test_what_cannot_be_changed_alone_is_refused_by_its_place(
    files: Nodes, place: str, tmp_path: Path
) -> None:
    host = node(tmp_path, files)

    with pytest.raises(KubeletFlagError) as caught:
        edit(host, read(host, endpoint=OURS), OURS)

    assert f"{place}: found {FLAG}" in str(caught.value) or place == f"{UNIT}:2"
    assert OURS in caught.value.hint


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, "found no kubelet.service"),
        ({UNIT: "[Service]\nExecStart=/usr/bin/kubelet\n"}, "found no --config, --config-dir or"),
        ({UNIT: "[Service]\nExecStart=/usr/bin/kubelet --config=/no\n"}, "/no: found no such file"),
        (
            {UNIT: "[Service]\nEnvironmentFile=/etc/eks/env\nExecStart=/usr/bin/kubelet $A\n"},
            "whose /etc/eks/env is not there",
        ),
    ],
)
def test_a_kubelet_that_is_not_found_is_told_with_the_endpoint(
    files: Nodes, found: str, tmp_path: Path
) -> None:
    with pytest.raises(KubeletNotFoundError) as caught:
        read(node(tmp_path, files), endpoint=OURS)

    assert found in str(caught.value)
    assert OURS in caught.value.hint


@pytest.mark.parametrize(
    ("files", "path"),
    [
        ({}, f"{CONF_D}/zz-nsledger.conf"),
        ({f"{CONF_D}/10-a.conf": f"{KEY}: /a\n"}, f"{CONF_D}/zz-nsledger.conf"),
        ({f"{CONF_D}/zz-nsledger.conf": f"{KEY}: /a\n"}, f"{CONF_D}/zz-nsledger.conf"),
        ({f"{CONF_D}/zzz.conf": f"{KEY}: /a\n"}, f"{CONF_D}/zzz.conf"),
        ({f"{CONF_D}/zzz/a.conf": f'{{"{KEY}": "/a"}}'}, f"{CONF_D}/zzz/a.conf"),
        ({f"{CONF_D}/zzz.yaml": f"{KEY}: /a\n"}, f"{CONF_D}/zz-nsledger.conf"),
        ({f"{CONF_D}/zzz.conf": "a: 1\n"}, f"{CONF_D}/zz-nsledger.conf"),
    ],
)
def test_a_drop_in_is_added_where_it_outdoes_the_others_else_the_last_one_is_changed(
    files: Nodes, path: str, tmp_path: Path
) -> None:
    assert changed(tmp_path, {**WITH_DIRECTORY, **files})[0] == path


def test_the_directory_is_merged_in_lexical_order_over_the_file(tmp_path: Path) -> None:
    files: Nodes = {
        **WITH_DIRECTORY,
        f"{CONF_D}/10-a.conf": f"{KEY}: /a\n",
        f"{CONF_D}/.hidden.conf": f"{KEY}: /hidden\n",
        f"{CONF_D}/20/b.conf": f"{KEY}: /b\n",
        f"{CONF_D}/20-a.txt": f"{KEY}: /text\n",
    }

    found = read(node(tmp_path, files), endpoint=OURS)

    assert found.endpoint == "/b"
    assert found.stated == kubelet.Stated(f"{CONF_D}/20/b.conf", 1, KEY)


def test_a_drop_in_says_the_endpoint_alone(tmp_path: Path) -> None:
    _, text = changed(tmp_path, dict(WITH_DIRECTORY))

    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        "apiVersion: kubelet.config.k8s.io/v1beta1",
        "kind: KubeletConfiguration",
        f"containerRuntimeEndpoint: {OURS}",
    ]


@pytest.mark.parametrize(
    "written", [OURS, "/run/nsledger/cri.sock", "unix:/run/nsledger/cri.sock "]
)
def test_what_is_ours_already_stays_as_it_is_written(written: str, tmp_path: Path) -> None:
    text = f"a: 1\n{KEY}: '{written}'\n"
    host = node(tmp_path, {**KUBEADM, CONFIG: text})

    assert edit(host, read(host, endpoint=OURS), OURS) == (CONFIG, text.encode())


def test_a_flag_of_the_packages_unit_that_is_ours_already_is_no_error(tmp_path: Path) -> None:
    host = node(tmp_path, {UNIT: f"[Service]\nExecStart=kubelet {FLAG}={OURS}\n"})

    assert read(host, endpoint=OURS).endpoint == OURS


def test_a_configuration_that_is_none_is_refused_by_file_and_line(tmp_path: Path) -> None:
    host = node(tmp_path, {**KUBEADM, CONFIG: "a: 1\nb: [\n"})

    with pytest.raises(KubeletConfigurationError, match=rf"^{CONFIG}:3: found no YAML"):
        read(host, endpoint=OURS)


def test_a_configuration_below_the_working_directory_is_found(tmp_path: Path) -> None:
    unit = "[Service]\nWorkingDirectory=/var/lib\nExecStart=kubelet --config kubelet/config.yaml\n"

    assert changed(tmp_path, {**KUBEADM, DROP_IN: "", UNIT: unit})[0] == CONFIG


def test_the_running_kubelet_has_to_be_the_one_of_the_files(tmp_path: Path) -> None:
    host = node(tmp_path, dict(KUBEADM))
    argv = read(host, endpoint=OURS).argv

    assert read(host, endpoint=OURS, running=[*argv, "--v=9"]).argv == argv
    with pytest.raises(KubeletDiffersError, match=r"--config /other\.yaml") as caught:
        read(host, endpoint=OURS, running=["kubelet", "--config", "/other.yaml"])
    assert caught.value.flag == "--config"
    with pytest.raises(KubeletDiffersError, match=FLAG):
        require_as_computed(read(host, endpoint=OURS).unit, [*argv, f"{FLAG}={THEIRS}"])


def test_where_another_program_starts_the_kubelet_its_process_tells_the_configuration(
    tmp_path: Path,
) -> None:
    files: Nodes = {**KUBEADM, DROP_IN: "", UNIT: "[Service]\nExecStart=/usr/local/bin/start-it\n"}
    host = node(tmp_path, files)

    found = read(host, endpoint=OURS, running=["kubelet", f"--config={CONFIG}"])

    assert edit(host, found, OURS)[0] == CONFIG
    with pytest.raises(NsledgerError, match=FLAG):
        read(host, endpoint=OURS, running=["kubelet", f"{FLAG}={THEIRS}"])
