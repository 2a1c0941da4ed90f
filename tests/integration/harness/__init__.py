# SPDX-License-Identifier: BSD-2-Clause
"""What every integration test stands on: nginx, servers, clients, a signer."""
