/* SPDX-License-Identifier: BSD-2-Clause */
/* wba keygen: a new Ed25519 key as a private JWK. */
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "file.h"
#include "keyfile.h"

typedef struct {
    const char *out;
    const char *kid;
    bool force;
} keygen_t;

static int
options(int argc, char **argv, keygen_t *k)
{
    enum { OUT = CLI_OPTION_OWN, KID, FORCE };
    static const struct option known[] = {
        { "out", required_argument, NULL, OUT },
        { "kid", required_argument, NULL, KID },
        { "force", no_argument, NULL, FORCE },
        { NULL, 0, NULL, 0 },
    };
    int c;

    while ((c = cli_option(argc, argv, known)) != CLI_OPTION_END) {
        switch (c) {
        case OUT:
            k->out = optarg;
            break;
        case KID:
            k->kid = optarg;
            break;
        case FORCE:
            k->force = true;
            break;
        default:
            return CLI_TROUBLE;
        }
    }
    if (optind < argc) {
        return cli_fail("what is '%s' for? To write a file, --out %s",
                        argv[optind], argv[optind]);
    }
    if (k->kid != NULL && (*k->kid == '\0' || strlen(k->kid) > WBA_MAX_KID)) {
        return cli_fail("--kid must have 1 to %d bytes", WBA_MAX_KID);
    }
    return CLI_OK;
}

/* The private JWK (RFC 8037) of a new key pair; the caller frees it. */
static char *
make_key(const char *kid, char thumbprint[WBA_THUMBPRINT_TEXT_SIZE + 1])
{
    uint8_t pub[crypto_sign_PUBLICKEYBYTES];
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    uint8_t seed[crypto_sign_SEEDBYTES];
    char d[KEYFILE_TEXT32], x[KEYFILE_TEXT32], *text;
    json_t *jwk;

    (void) crypto_sign_keypair(pub, secret);
    (void) crypto_sign_ed25519_sk_to_seed(seed, secret);
    keyfile_text32(seed, d);
    keyfile_text32(pub, x);
    keyfile_thumbprint(pub, thumbprint);
    jwk = json_pack("{ss ss ss ss ss ss ss}", "kty", "OKP", "crv", "Ed25519",
                    "kid", kid ? kid : thumbprint, "use", "sig", "alg",
                    "EdDSA", "x", x, "d", d);
    sodium_memzero(secret, sizeof(secret));
    sodium_memzero(seed, sizeof(seed));
    sodium_memzero(d, sizeof(d));
    text = jwk != NULL ? json_dumps(jwk, JSON_INDENT(2)) : NULL;
    json_decref(jwk);
    return text;
}

static int
run(int argc, char **argv)
{
    char thumbprint[WBA_THUMBPRINT_TEXT_SIZE + 1];
    keygen_t k = { NULL, NULL, false };
    int rc = options(argc, argv, &k);
    size_t len;
    char *text;

    if (rc != CLI_OK) {
        return rc;
    }
    text = make_key(k.kid, thumbprint);
    if (text == NULL) {
        return cli_fail("no key could be made: --kid is not UTF-8, or out of "
                        "memory");
    }
    len = strlen(text);
    text[len] = '\n'; /* in the place of its NUL */
    if (k.out == NULL) {
        (void) fwrite(text, 1, len + 1, stdout);
    } else {
        rc = file_write_secret(k.out, wba_str(text, len + 1), k.force);
    }
    sodium_memzero(text, len + 1);
    free(text);
    if (rc == CLI_OK) {
        (void) fprintf(stderr, "%s\n", thumbprint);
    }
    return rc;
}

const cli_command_t cmd_keygen = {
    "keygen",
    "make a private key",
    "Usage: wba keygen [--out FILE] [--kid KID] [--force]\n"
    "\n"
    "Makes an Ed25519 key, writes it as a private JWK, and says its\n"
    "thumbprint (the keyid of its signatures) on stderr.\n"
    "\n"
    "  --out FILE   write there, readable by its owner alone, instead of to\n"
    "               the standard output\n"
    "  --kid KID    the key's kid; default: its thumbprint\n"
    "  --force      replace FILE if it exists\n",
    run,
};
