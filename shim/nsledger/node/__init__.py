"""containerd, CRI-O, kubelet and systemd on this node."""
