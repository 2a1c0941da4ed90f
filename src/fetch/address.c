/* SPDX-License-Identifier: BSD-2-Clause */
/* The registries of special-purpose addresses (RFC 6890 and its updates). */
#include "address.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint8_t bytes[16];
    unsigned bits;
} prefix_t;

static const prefix_t special4[] = {
    { { 0 }, 8 },              /* this network */
    { { 10 }, 8 },             /* private */
    { { 100, 64 }, 10 },       /* shared, of carriers */
    { { 127 }, 8 },            /* loopback */
    { { 169, 254 }, 16 },      /* link-local */
    { { 172, 16 }, 12 },       /* private */
    { { 192, 0, 0 }, 24 },     /* protocol assignments */
    { { 192, 0, 2 }, 24 },     /* documentation */
    { { 192, 88, 99 }, 24 },   /* 6to4 relays, deprecated */
    { { 192, 168 }, 16 },      /* private */
    { { 198, 18 }, 15 },       /* benchmarking */
    { { 198, 51, 100 }, 24 },  /* documentation */
    { { 203, 0, 113 }, 24 },   /* documentation */
    { { 224 }, 4 },            /* multicast */
    { { 240 }, 4 },            /* reserved, broadcast */
};

/* Within 2000::/3, outside of which nothing is public. */
static const prefix_t special6[] = {
    { { 0x20, 0x01 }, 23 },             /* protocol assignments, among them
                                           benchmarking, ORCHID; and Teredo,
                                           which is looked at before */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation */
    { { 0x3f, 0xff }, 20 },             /* documentation */
};

static const prefix_t mapped = { { [10] = 0xff, [11] = 0xff }, 96 };
static const prefix_t nat64 = { { 0x00, 0x64, 0xff, 0x9b }, 96 };
static const prefix_t six_to_four = { { 0x20, 0x02 }, 16 };
static const prefix_t teredo = { { 0x20, 0x01, 0x00, 0x00 }, 32 };
static const prefix_t global = { { 0x20 }, 3 };

static bool
within(const uint8_t *address, const prefix_t *prefix)
{
    unsigned whole = prefix->bits / 8, rest = prefix->bits % 8;
    uint8_t mask = (uint8_t) (0xff << (8 - rest));

    return memcmp(address, prefix->bytes, whole) == 0
           && (rest == 0
               || (address[whole] & mask) == (prefix->bytes[whole] & mask));
}

static bool
public4(const uint8_t *address)
{
    size_t i;

    for (i = 0; i < sizeof(special4) / sizeof(special4[0]); i++) {
        if (within(address, &special4[i])) {
            return false;
        }
    }
    return true;
}

static bool
teredo_is_public(const uint8_t *address)
{
    uint8_t client[4];
    size_t i;

    for (i = 0; i < sizeof(client); i++) {
        client[i] = (uint8_t) ~address[12 + i];
    }
    return public4(address + 4) && public4(client);
}

static bool
public6(const uint8_t *address)
{
    size_t i;

    if (within(address, &mapped) || within(address, &nat64)) {
        return public4(address + 12);
    }
    if (!within(address, &global)) {
        return false;
    }
    if (within(address, &six_to_four)) {
        return public4(address + 2);
    }
    if (within(address, &teredo)) {
        return teredo_is_public(address);
    }
    for (i = 0; i < sizeof(special6) / sizeof(special6[0]); i++) {
        if (within(address, &special6[i])) {
            return false;
        }
    }
    return true;
}

bool
wba_address_is_public(const struct sockaddr *address)
{
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;

    switch (address->sa_family) {
    case AF_INET:
        memcpy(&in4, address, sizeof(in4));
        return public4((const uint8_t *) &in4.sin_addr);
    case AF_INET6:
        memcpy(&in6, address, sizeof(in6));
        return public6((const uint8_t *) &in6.sin6_addr);
    default:
        return false;
    }
}
