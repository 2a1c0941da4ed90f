/* SPDX-License-Identifier: BSD-2-Clause */
/* wba keygen: a new key as a private JWK. */
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "file.h"
#include "profiles.h"
#include "signer.h"
#include "wba_limits.h"

typedef struct {
    const char *out;
    const char *kid;
    unsigned alg; /* one bit of wba_alg_t */
    bool force;
} keygen_t;

static int
options(int argc, char **argv, keygen_t *k)
{
    enum { OUT = CLI_OPTION_OWN, KID, ALG, FORCE };
    static const struct option known[] = {
        { "out", required_argument, NULL, OUT },
        { "kid", required_argument, NULL, KID },
        { "alg", required_argument, NULL, ALG },
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
        case ALG:
            k->alg = 0;
            if (profiles_algorithm(optarg, &k->alg) != CLI_OK) {
                return CLI_TROUBLE;
            }
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

static int
write_key(const keygen_t *k, const signer_t *signer, char *text)
{
    size_t len = strlen(text);
    int rc = CLI_OK;

    text[len] = '\n'; /* in the place of its NUL */
    if (k->out == NULL) {
        (void) fwrite(text, 1, len + 1, stdout);
    } else {
        rc = file_write_secret(k->out, wba_str(text, len + 1), k->force);
    }
    sodium_memzero(text, len + 1);
    if (rc == CLI_OK) {
        (void) fprintf(stderr, "%s\n", signer->thumbprint);
    }
    return rc;
}

static int
run(int argc, char **argv)
{
    keygen_t k = { .alg = WBA_ALG_ED25519 };
    int rc = options(argc, argv, &k);
    signer_t signer;
    char *text;

    if (rc != CLI_OK) {
        return rc;
    }
    rc = signer_new(&signer, (wba_alg_t) k.alg, k.kid, &text);
    if (rc == CLI_OK) {
        rc = write_key(&k, &signer, text);
    }
    free(text);
    signer_clear(&signer);
    return rc;
}

const cli_command_t cmd_keygen = {
    "keygen",
    "make a private key",
    "Usage: wba keygen [--out FILE] [--alg NAME] [--kid KID] [--force]\n"
    "\n"
    "Makes a key, writes it as a private JWK, and says its thumbprint (the\n"
    "keyid of its signatures) on stderr.\n"
    "\n"
    "  --out FILE   write there, readable by its owner alone, instead of to\n"
    "               the standard output\n"
    "  --alg NAME   ed25519 (default), ecdsa-p256-sha256, rsa-pss-sha512 or\n"
    "               rsa-pss-sha256 (RSA keys have 2048 bits)\n"
    "  --kid KID    the key's kid; default: its thumbprint\n"
    "  --force      replace FILE if it exists\n",
    "# an agent's key\n"
    "wba keygen --out agent.key\n"
    "# one for ECDSA, with a name of its own\n"
    "wba keygen --alg ecdsa-p256-sha256 --kid 2026-11 --out p256.key\n",
    "0 made, 2 wrong use, or a file that cannot be written.\n",
    run,
};
