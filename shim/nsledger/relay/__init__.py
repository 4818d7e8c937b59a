"""The relay's sockets: between the kubelet and the runtime, as dull as a wire."""
