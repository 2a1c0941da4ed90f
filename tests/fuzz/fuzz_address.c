/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which addresses are public: as a second telling of the rules has it, a list
 * of prefixes; and what IPv6 wraps around an IPv4 address is no more public
 * than that address.
 *
 * Input: family, then the address.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "address.h"
#include "fuzz.h"

static const struct {
    const char *prefix;
    unsigned bits;
} private4[] = {
    { "0.0.0.0", 8 },       { "10.0.0.0", 8 },      { "100.64.0.0", 10 },
    { "127.0.0.0", 8 },     { "169.254.0.0", 16 },  { "172.16.0.0", 12 },
    { "192.0.0.0", 24 },    { "192.0.2.0", 24 },    { "192.88.99.0", 24 },
    { "192.168.0.0", 16 },  { "198.18.0.0", 15 },   { "198.51.100.0", 24 },
    { "203.0.113.0", 24 },  { "224.0.0.0", 4 },     { "240.0.0.0", 4 },
};

/* Of 2000::/3, which alone is public. */
static const struct {
    const char *prefix;
    unsigned bits;
} private6[] = {
    { "2001:2::", 48 }, { "2001:db8::", 32 }, { "2001::", 23 },
    { "3fff::", 20 },
};

static bool
has_prefix(const uint8_t *a, const uint8_t *prefix, unsigned bits)
{
    unsigned i;

    for (i = 0; i < bits; i++) {
        if (((a[i / 8] ^ prefix[i / 8]) >> (7 - i % 8)) & 1) {
            return false;
        }
    }
    return true;
}

static bool
public4(const uint8_t a[4])
{
    uint8_t prefix[4];
    size_t i;

    for (i = 0; i < COUNT(private4); i++) {
        CHECK(inet_pton(AF_INET, private4[i].prefix, prefix) == 1);
        if (has_prefix(a, prefix, private4[i].bits)) {
            return false;
        }
    }
    return true;
}

static bool
begins(const uint8_t *a, const char *prefix, unsigned bits)
{
    uint8_t bytes[16];

    CHECK(inet_pton(AF_INET6, prefix, bytes) == 1);
    return has_prefix(a, bytes, bits);
}

static bool
public6(const uint8_t a[16])
{
    uint8_t client[4] = { a[12] ^ 255, a[13] ^ 255, a[14] ^ 255, a[15] ^ 255 };
    size_t i;

    if (begins(a, "::ffff:0:0", 96) || begins(a, "64:ff9b::", 96)) {
        return public4(a + 12);
    }
    if (begins(a, "2001::", 32)) {
        return public4(a + 4) && public4(client);
    }
    if (begins(a, "2002::", 16)) {
        return public4(a + 2);
    }
    for (i = 0; i < COUNT(private6); i++) {
        if (begins(a, private6[i].prefix, private6[i].bits)) {
            return false;
        }
    }
    return begins(a, "2000::", 3);
}

static void
check4(const uint8_t a[4])
{
    struct sockaddr_in sa = { .sin_family = AF_INET };

    memcpy(&sa.sin_addr, a, 4);
    CHECK(wba_address_is_public((const struct sockaddr *) &sa) == public4(a));
}

static void
check6(const uint8_t a[16])
{
    struct sockaddr_in6 sa = { .sin6_family = AF_INET6 };

    memcpy(&sa.sin6_addr, a, 16);
    CHECK(wba_address_is_public((const struct sockaddr *) &sa) == public6(a));
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    fuzz_begin();
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);
    unsigned how = fuzz_byte(&in);
    struct sockaddr_storage other = { 0 };
    uint8_t a[16] = { 0 };
    size_t i;

    for (i = 0; i < sizeof(a); i++) {
        a[i] = fuzz_byte(&in);
    }
    if (how & 1) {
        check4(a);
    } else if (how & 2) {
        other.ss_family = (sa_family_t) fuzz_number(&in, 2);
        if (other.ss_family != AF_INET && other.ss_family != AF_INET6) {
            CHECK(!wba_address_is_public((const struct sockaddr *) &other));
        }
    } else {
        if (how & 4) { /* one that wraps */
            static const uint8_t heads[4][12] = {
                { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255 },
                { 0, 0x64, 0xff, 0x9b },
                { 0x20, 0x01 },
                { 0x20, 0x02 },
            };

            memcpy(a, heads[how >> 3 & 3], how & 8 ? 12 : how & 32 ? 2 : 4);
        }
        check6(a);
    }
    return 0;
}
