# SPDX-License-Identifier: BSD-2-Clause
"""Free TCP ports below the range that the kernel gives to clients.  Where
pytest runs in several processes, each has a part of them to itself."""

import os
import random
import socket

FIRST, LAST = 20000, 32000
PARTS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
PART = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
SIZE = (LAST - FIRST) // PARTS

given = set()


def free():
    while True:
        port = FIRST + PART * SIZE + random.randrange(SIZE)
        if port in given:
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        given.add(port)
        return port
