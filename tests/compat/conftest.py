# SPDX-License-Identifier: BSD-2-Clause
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]
                       / "integration"))

from harness.plugin import *    # noqa: E402,F401,F403 pylint: disable=all
