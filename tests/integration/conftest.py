# SPDX-License-Identifier: BSD-2-Clause
from harness.plugin import *    # noqa: F401,F403
