# SPDX-License-Identifier: BSD-2-Clause
"""Free TCP ports below the range that the kernel gives to clients."""

import random
import socket

given = set()


def free():
    while True:
        port = random.randrange(20000, 32000)
        if port in given:
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        given.add(port)
        return port
