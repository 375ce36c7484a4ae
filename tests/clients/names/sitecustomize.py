"""Names below `.localhost` lead to loopback (RFC 6761). Many resolvers do that by themselves; for
those that do not, this stands in for the resolver. The client's own code is not touched."""

import socket

_ask = socket.getaddrinfo


def _to_loopback(host, *rest, **named):
    text = host.decode() if isinstance(host, bytes) else host
    if isinstance(text, str) and text.rstrip(".").endswith(".localhost"):
        host = "127.0.0.1"
    return _ask(host, *rest, **named)


socket.getaddrinfo = _to_loopback
