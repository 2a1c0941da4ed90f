/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a nonce table is sized by: no signature that a directory and a location
 * accept has to be remembered for longer than is said, but for the skew by
 * which it was ahead; and no table is said to be enough for more than it is.
 *
 * Input: lifetimes, what is asked for, a signature, numbers.
 */
#include "fuzz.h"
#include "sizing.h"

#define NOW INT64_C(1700000000)

__extension__ typedef unsigned __int128 wide_t;

static wba_components_t covered;

/* What they accept between them. */
static bool
accepted(const wba_fact_t *fact, const wba_directory_t *directory,
         const wba_policy_t *policy)
{
    return wba_judge_claims(fact, policy, NOW) == WBA_REASON_OK
           && wba_judge_directory(fact, directory, 0, 0, policy, NOW)
                  == WBA_REASON_OK;
}

static int64_t
lifetime(fuzz_in_t *in)
{
    int64_t value = fuzz_int64(in);

    return value < 0 ? -(value + 1) : value;
}

static int64_t
seconds_of(fuzz_in_t *in)
{
    wba_directory_t directory = { .lenient = 0 };
    wba_policy_t policy;
    wba_fact_t fact = { .components = &covered };
    unsigned what = fuzz_byte(in);
    int64_t seconds, ahead, lives;

    wba_policy_default(&policy);
    policy.clock_skew = (int64_t) fuzz_number(in, 2) % 400;
    directory.profile.max_lifetime = what & 1 ? lifetime(in) : 0;
    policy.max_lifetime = what & 2 ? lifetime(in) : 0;
    directory.profile.nonce_required = (what & 4) != 0;
    policy.nonce_required = (what & 8) != 0;
    seconds = wba_sizing_seconds(&directory, &policy);
    CHECK(seconds > WBA_MAX_SKEW);

    ahead = fuzz_int64(in) % 1024;
    lives = lifetime(in) % (INT64_MAX - NOW - 2048) + 1;
    fact.input.has_created = fact.input.has_expires = true;
    fact.input.created = NOW + ahead;
    fact.input.expires = fact.input.created + lives;
    fact.input.keyid = WBA_STR("key");
    fact.input.nonce = what & 16 ? WBA_STR("n") : WBA_STR_NONE;
    if (accepted(&fact, &directory, &policy)
        && (what & 12 || lives <= WBA_STATIC_LIFETIME))
    {
        CHECK(ahead <= WBA_MAX_SKEW);
        CHECK(seconds == INT64_MAX || lives + WBA_MAX_SKEW <= seconds);
    }
    return seconds;
}

static void
numbers(uint64_t n, int64_t seconds)
{
    wide_t s = (wide_t) seconds, product = (wide_t) n * s;
    uint64_t nonces = wba_sizing_nonces(n, seconds);
    uint64_t fits = wba_sizing_per_minute(n, seconds);

    /* exact where the product is a number; never too few */
    CHECK(nonces == UINT64_MAX ? product > UINT64_MAX - 60
                               : nonces == (uint64_t) ((product + 59) / 60));
    /* exact, too, or less */
    CHECK(fits <= (wide_t) n * 60 / s);
    CHECK(n > UINT64_MAX / 60 || fits == n * 60 / (uint64_t) seconds);
    CHECK((wide_t) wba_sizing_nonces(fits, seconds) <= n
          || (wide_t) fits * s > UINT64_MAX - 60);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    fuzz_begin();
    covered.items[0].name = WBA_STR("@authority");
    covered.count = 1;
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);
    int64_t seconds = seconds_of(&in);

    numbers((uint64_t) fuzz_int64(&in), seconds);
    numbers(fuzz_number(&in, 5), seconds);
    return 0;
}
