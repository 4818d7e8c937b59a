"""Nodes of a few files, for tests that look at them."""

from __future__ import annotations

from pathlib import Path

from nsledger.node.root import Host

UNIT = "/usr/lib/systemd/system/kubelet.service"
DROP_IN = f"{UNIT}.d/10-kubeadm.conf"
CONFIG = "/var/lib/kubelet/config.yaml"
KUBEADM = {
    UNIT: "[Service]\nExecStart=/usr/bin/kubelet\nRestart=always\n",
    DROP_IN: (
        "[Service]\n"
        'Environment="KUBELET_KUBECONFIG_ARGS=--kubeconfig=/etc/kubernetes/kubelet.conf"\n'
        'Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"\n'
        "EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env\n"
        "EnvironmentFile=-/etc/default/kubelet\n"
        "ExecStart=\n"
        "ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS"
        " $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS\n"
    ),
    CONFIG: "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n",
}
"""The unit, drop-in and configuration that kubeadm's packages bring."""


def node(root: Path, files: dict[str, str | bytes]) -> Host:
    """A node below `root` with `files`, by its own paths; a value `-> path` is a link."""
    for path, content in files.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str) and content.startswith("-> "):
            file.symlink_to(content.removeprefix("-> "))
        else:
            file.write_bytes(content.encode() if isinstance(content, str) else content)
    return Host.at(str(root))
