/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether an address is one of the public Internet: the guard against request
 * forgery for URLs that a request named (PROTOCOL section 6).
 */
#ifndef WBA_ADDRESS_H
#define WBA_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/*
 * False for private, shared (100.64/10), loopback, link-local, unique-local,
 * site-local, multicast, broadcast, unspecified (0/8, ::), benchmarking
 * (198.18/15, 2001:2::/48), protocol-assignment (192.0.0/24, 2001::/23), 6to4
 * relay (192.88.99/24), documentation, discard-only and reserved (240/4)
 * addresses; for v4-mapped, NAT64 (64:ff9b::/96), 6to4 and Teredo ones whose
 * IPv4 part is such a one (for Teredo server and client); for everything else
 * in IPv6 outside 2000::/3, v4-compatible addresses and 64:ff9b:1::/48 among
 * it; and for every family but AF_INET and AF_INET6.
 */
bool wba_address_is_public(const struct sockaddr *address);

#endif
