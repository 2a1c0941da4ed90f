/* SPDX-License-Identifier: BSD-2-Clause */
/* fetch/address: the edges of every range, and what is embedded in IPv6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "address.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

typedef struct {
    const char *text;
    bool is_public;
} case_t;

/* Of each range the last before, first, last and first behind; where ranges
 * touch, the neighbour's is not written twice. */
static const case_t cases4[] = {
    { "0.0.0.0", false },       { "0.255.255.255", false },
    { "1.0.0.0", true },        { "9.255.255.255", true },
    { "10.0.0.0", false },      { "10.255.255.255", false },
    { "11.0.0.0", true },       { "100.63.255.255", true },
    { "100.64.0.0", false },    { "100.127.255.255", false },
    { "100.128.0.0", true },    { "126.255.255.255", true },
    { "127.0.0.0", false },     { "127.0.0.1", false },
    { "127.255.255.255", false }, { "128.0.0.0", true },
    { "169.253.255.255", true }, { "169.254.0.0", false },
    { "169.254.169.254", false }, { "169.254.255.255", false },
    { "169.255.0.0", true },    { "172.15.255.255", true },
    { "172.16.0.0", false },    { "172.31.255.255", false },
    { "172.32.0.0", true },     { "191.255.255.255", true },
    { "192.0.0.0", false },     { "192.0.0.255", false },
    { "192.0.1.0", true },      { "192.0.1.255", true },
    { "192.0.2.0", false },     { "192.0.2.255", false },
    { "192.0.3.0", true },      { "192.88.98.255", true },
    { "192.88.99.0", false },   { "192.88.99.255", false },
    { "192.88.100.0", true },   { "192.167.255.255", true },
    { "192.168.0.0", false },   { "192.168.255.255", false },
    { "192.169.0.0", true },    { "198.17.255.255", true },
    { "198.18.0.0", false },    { "198.19.255.255", false },
    { "198.20.0.0", true },     { "198.51.99.255", true },
    { "198.51.100.0", false },  { "198.51.100.255", false },
    { "198.51.101.0", true },   { "203.0.112.255", true },
    { "203.0.113.0", false },   { "203.0.113.255", false },
    { "203.0.114.0", true },    { "223.255.255.255", true },
    { "224.0.0.0", false },     { "239.255.255.255", false },
    { "240.0.0.0", false },     { "255.255.255.254", false },
    { "255.255.255.255", false }, { "8.8.8.8", true },
};

#define FULL ":ffff:ffff:ffff:ffff:ffff:ffff:ffff"

static const case_t cases6[] = {
    /* outside of 2000::/3 */
    { "::", false },
    { "::1", false },
    { "::2", false },
    { "100::", false },
    { "100::ffff:ffff:ffff:ffff", false },
    { "100:0:0:1::", false },
    { "1fff" FULL, false },
    { "2000::", true },
    { "3ffe" FULL, true },
    { "3fff::", false },
    { "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", false },
    { "3fff:1000::", true },
    { "3fff" FULL, true },
    { "4000::", false },
    { "5f00::1", false },
    { "fbff" FULL, false },
    { "fc00::", false },
    { "fdff" FULL, false },
    { "fe00::", false },
    { "fe80::", false },
    { "fe80::1", false },
    { "febf" FULL, false },
    { "fec0::", false },
    { "feff" FULL, false },
    { "ff00::", false },
    { "ff02::1", false },
    { "ff0e::1", false },
    { "ffff" FULL, false },

    /* within */
    { "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true },
    { "2001:1::", false },
    { "2001:1::1", false },
    { "2001:2::", false },
    { "2001:2:0:ffff:ffff:ffff:ffff:ffff", false },
    { "2001:2:1::", false },
    { "2001:10::", false },
    { "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", false },
    { "2001:20::", false },
    { "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", false },
    { "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", false },
    { "2001:200::", true },
    { "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", true },
    { "2001:db8::", false },
    { "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", false },
    { "2001:db9::", true },
    { "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true },
    { "2003::", true },
    { "2606:4700:4700::1111", true },
    { "2a00:1450:4001:800::200e", true },

    /* v4-mapped, and its neighbours */
    { "::fffe:ffff:ffff", false },
    { "::ffff:8.8.8.8", true },
    { "::ffff:127.0.0.1", false },
    { "::ffff:0.0.0.0", false },
    { "::ffff:255.255.255.255", false },
    { "::1:0:0:0", false },
    { "::1:ffff:8.8.8.8", false },
    { "8000::ffff:8.8.8.8", false },

    /* v4-compatible and v4-translated: obsolete, whatever they hold */
    { "::8.8.8.8", false },
    { "::127.0.0.1", false },
    { "::10.0.0.1", false },
    { "::ffff:0:8.8.8.8", false },

    /* NAT64 */
    { "64:ff9a:ffff:ffff:ffff:ffff:808:808", false },
    { "64:ff9b::8.8.8.8", true },
    { "64:ff9b::0.0.0.0", false },
    { "64:ff9b::127.0.0.1", false },
    { "64:ff9b::169.254.169.254", false },
    { "64:ff9b::192.168.0.1", false },
    { "64:ff9b::255.255.255.255", false },
    { "64:ff9b::1:808:808", false },
    { "64:ff9b:0:0:1::808:808", false },
    { "64:ff9b:1::8.8.8.8", false },
    { "64:ff9b:1:ffff:ffff:ffff:808:808", false },
    { "64:ff9b:2::8.8.8.8", false },

    /* 6to4 */
    { "2002::", false },
    { "2002:808:808::1", true },
    { "2002:7f00:1::1", false },
    { "2002:7f00:1:ffff:ffff:ffff:808:808", false },
    { "2002:a00:1::808:808", false },
    { "2002:c0a8:101::1", false },
    { "2002:808:808::7f00:1", true }, /* only the prefix counts */
    { "2002" FULL, false },
};

static bool
judge4(const char *text)
{
    struct sockaddr_in in = { .sin_family = AF_INET };

    assert_int_equal(inet_pton(AF_INET, text, &in.sin_addr), 1);
    return wba_address_is_public((const struct sockaddr *) &in);
}

static bool
judge6(const char *text)
{
    struct sockaddr_in6 in = { .sin6_family = AF_INET6 };

    assert_int_equal(inet_pton(AF_INET6, text, &in.sin6_addr), 1);
    return wba_address_is_public((const struct sockaddr *) &in);
}

static void
test_ipv4(void **state)
{
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases4); i++) {
        if (judge4(cases4[i].text) != cases4[i].is_public) {
            fail_msg("%s", cases4[i].text);
        }
    }
}

static void
test_ipv6(void **state)
{
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases6); i++) {
        if (judge6(cases6[i].text) != cases6[i].is_public) {
            fail_msg("%s", cases6[i].text);
        }
    }
}

/* The address that holds an IPv4 one in the form-th way; NULL: no more. */
static const char *
embed(unsigned form, const char *four)
{
    static char text[80];
    unsigned char b[4], n[4];
    unsigned i;

    assert_int_equal(inet_pton(AF_INET, four, b), 1);
    for (i = 0; i < 4; i++) {
        n[i] = (unsigned char) ~b[i];
    }
    switch (form) {
    case 0: /* v4-mapped */
        snprintf(text, sizeof(text), "::ffff:%s", four);
        return text;
    case 1: /* NAT64 */
        snprintf(text, sizeof(text), "64:ff9b::%s", four);
        return text;
    case 2: /* 6to4 */
        snprintf(text, sizeof(text), "2002:%02x%02x:%02x%02x:1::1", b[0], b[1],
                 b[2], b[3]);
        return text;
    case 3: /* Teredo's server; the client is 8.8.8.8, its bits inverted */
        snprintf(text, sizeof(text),
                 "2001:0:%02x%02x:%02x%02x:8000:1234:f7f7:f7f7", b[0], b[1],
                 b[2], b[3]);
        return text;
    case 4: /* Teredo's client */
        snprintf(text, sizeof(text),
                 "2001:0:808:808:8000:1234:%02x%02x:%02x%02x", n[0], n[1],
                 n[2], n[3]);
        return text;
    default:
        return NULL;
    }
}

/* Each form that holds an IPv4 address is judged as that is. */
static void
test_ipv4_inside_ipv6(void **state)
{
    const char *text;
    unsigned form;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases4); i++) {
        for (form = 0; (text = embed(form, cases4[i].text)) != NULL; form++) {
            if (judge6(text) != cases4[i].is_public) {
                fail_msg("%s in %s", cases4[i].text, text);
            }
        }
    }
}

static uint32_t
number(const char *text)
{
    struct in_addr in;

    assert_int_equal(inet_pton(AF_INET, text, &in), 1);
    return ntohl(in.s_addr);
}

/* A second opinion on one address of every 256: numbers that are compared,
 * rather than bits that are masked. */
static void
test_ipv4_throughout(void **state)
{
    static const struct {
        const char *first, *last;
    } ranges[] = {
        { "0.0.0.0", "0.255.255.255" },
        { "10.0.0.0", "10.255.255.255" },
        { "100.64.0.0", "100.127.255.255" },
        { "127.0.0.0", "127.255.255.255" },
        { "169.254.0.0", "169.254.255.255" },
        { "172.16.0.0", "172.31.255.255" },
        { "192.0.0.0", "192.0.0.255" },
        { "192.0.2.0", "192.0.2.255" },
        { "192.88.99.0", "192.88.99.255" },
        { "192.168.0.0", "192.168.255.255" },
        { "198.18.0.0", "198.19.255.255" },
        { "198.51.100.0", "198.51.100.255" },
        { "203.0.113.0", "203.0.113.255" },
        { "224.0.0.0", "255.255.255.255" },
    };
    struct sockaddr_in in = { .sin_family = AF_INET };
    uint32_t first, last, n;
    uint64_t at = 0;
    size_t i;

    (void) state;
    for (i = 0; i <= COUNT(ranges); i++) {
        first = i < COUNT(ranges) ? number(ranges[i].first) : 0;
        last = i < COUNT(ranges) ? number(ranges[i].last) : 0;
        for (; at < (i < COUNT(ranges) ? (uint64_t) last + 1 : 1ULL << 32);
             at += 256)
        {
            n = (uint32_t) (at + (at >> 8) % 256);
            in.sin_addr.s_addr = htonl(n);
            if (wba_address_is_public((const struct sockaddr *) &in)
                != (i == COUNT(ranges) || n < first || n > last))
            {
                fail_msg("%u.%u.%u.%u", n >> 24, n >> 16 & 255, n >> 8 & 255,
                         n & 255);
            }
        }
    }
    assert_true(at == 1ULL << 32);
}

/* The first sixteen bits alone, with a public rest: 2000::/3 and no more. */
static void
test_ipv6_throughout(void **state)
{
    struct sockaddr_in6 in = { .sin6_family = AF_INET6 };
    unsigned n;
    bool want;

    (void) state;
    assert_int_equal(inet_pton(AF_INET6, "::8000:8.8.8.8", &in.sin6_addr), 1);
    in.sin6_addr.s6_addr[2] = 0x88; /* 2002:8808:808::, 2001:8808::, ... */
    in.sin6_addr.s6_addr[3] = 0x08;
    in.sin6_addr.s6_addr[4] = 0x08;
    in.sin6_addr.s6_addr[5] = 0x08;
    for (n = 0; n < 0x10000; n++) {
        in.sin6_addr.s6_addr[0] = (uint8_t) (n >> 8);
        in.sin6_addr.s6_addr[1] = (uint8_t) n;
        want = n >= 0x2000 && n <= 0x3fff;
        if (wba_address_is_public((const struct sockaddr *) &in) != want) {
            fail_msg("%x", n);
        }
    }
}

/* Port, flow and scope are not looked at. */
static void
test_the_rest_of_the_address(void **state)
{
    struct sockaddr_in6 six;
    struct sockaddr_in four;

    (void) state;
    memset(&four, 0xff, sizeof(four));
    four.sin_family = AF_INET;
    assert_int_equal(inet_pton(AF_INET, "8.8.8.8", &four.sin_addr), 1);
    assert_true(wba_address_is_public((const struct sockaddr *) &four));
    memset(&six, 0xff, sizeof(six));
    six.sin6_family = AF_INET6;
    assert_int_equal(inet_pton(AF_INET6, "2606:4700::1", &six.sin6_addr), 1);
    assert_true(wba_address_is_public((const struct sockaddr *) &six));
}

static void
test_other_families(void **state)
{
    static const int families[] = { AF_UNSPEC, AF_UNIX, AF_NETLINK, 255 };
    struct sockaddr_un un;
    size_t i;

    (void) state;
    memset(&un, 8, sizeof(un));
    for (i = 0; i < COUNT(families); i++) {
        un.sun_family = (sa_family_t) families[i];
        assert_false(wba_address_is_public((const struct sockaddr *) &un));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipv4),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_ipv4_inside_ipv6),
        cmocka_unit_test(test_ipv4_throughout),
        cmocka_unit_test(test_ipv6_throughout),
        cmocka_unit_test(test_the_rest_of_the_address),
        cmocka_unit_test(test_other_families),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
