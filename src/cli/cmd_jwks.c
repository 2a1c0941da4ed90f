/* SPDX-License-Identifier: BSD-2-Clause */
/* wba jwks: a public JWK Set from private or public keys. */
#include <stdio.h>
#include <time.h>

#include "cli.h"
#include "keyfile.h"
#include "text.h"
#include "when.h"

typedef struct {
    const char *kid; /* "thumbprint", "keep", or one for a single key */
    bool has_nbf;
    bool has_exp;
    int64_t nbf;
    int64_t exp;
    json_t *keys; /* the array that is printed */
    json_t *seen; /* thumbprints, as members of an object */
} jwks_t;

static int
parse_time(const char *option, int64_t *out)
{
    if (!when_parse(optarg, (int64_t) time(NULL), out) || *out <= 0) {
        return cli_fail("--%s %s is no time; write seconds since 1970, "
                        "2026-12-31T00:00:00Z, or +30d",
                        option, optarg);
    }
    return CLI_OK;
}

static int
options(int argc, char **argv, jwks_t *j)
{
    enum { KID = CLI_OPTION_OWN, NBF, EXP };
    static const struct option known[] = {
        { "kid", required_argument, NULL, KID },
        { "nbf", required_argument, NULL, NBF },
        { "exp", required_argument, NULL, EXP },
        { NULL, 0, NULL, 0 },
    };
    int c, rc = CLI_OK;

    while (rc == CLI_OK
           && (c = cli_option(argc, argv, known)) != CLI_OPTION_END)
    {
        switch (c) {
        case KID:
            j->kid = optarg;
            break;
        case NBF:
            j->has_nbf = true;
            rc = parse_time("nbf", &j->nbf);
            break;
        case EXP:
            j->has_exp = true;
            rc = parse_time("exp", &j->exp);
            break;
        default:
            return CLI_TROUBLE;
        }
    }
    if (rc != CLI_OK) {
        return rc;
    }
    if (j->has_nbf && j->has_exp && j->exp <= j->nbf) {
        return cli_fail("--exp is not later than --nbf, so the keys would "
                        "never be valid");
    }
    if (*j->kid == '\0' || strlen(j->kid) > WBA_MAX_KID) {
        return cli_fail("--kid must have 1 to %d bytes", WBA_MAX_KID);
    }
    if (optind == argc) {
        return cli_fail("which keys? Give files of JWKs, for instance "
                        "'wba jwks agent.key'");
    }
    return CLI_OK;
}

/* The name under which the key is published. */
static int
set_kid(const jwks_t *j, json_t *jwk, const char *thumbprint)
{
    bool named = json_object_get(jwk, "kid") != NULL;
    json_t *kid;

    if (strcmp(j->kid, "keep") == 0 && named) {
        return CLI_OK;
    }
    kid = json_string(strcmp(j->kid, "keep") == 0
                              || strcmp(j->kid, "thumbprint") == 0
                          ? thumbprint
                          : j->kid);
    return json_object_set_new(jwk, "kid", kid) == 0
               ? CLI_OK
               : cli_fail("--kid is not UTF-8");
}

static void
set_rest(const jwks_t *j, json_t *jwk, const wba_key_t *key)
{
    const char *alg = key->type == WBA_KEY_ED25519 ? "EdDSA"
                      : key->type == WBA_KEY_P256  ? "ES256"
                                                   : NULL;

    if (alg != NULL && json_object_get(jwk, "alg") == NULL) {
        (void) json_object_set_new(jwk, "alg", json_string(alg));
    }
    if (j->has_nbf) {
        (void) json_object_set_new(jwk, "nbf", json_integer(j->nbf));
    }
    if (j->has_exp) {
        (void) json_object_set_new(jwk, "exp", json_integer(j->exp));
    }
}

static int
add_key(jwks_t *j, const char *path, size_t index, const json_t *entry)
{
    char thumbprint[WBA_THUMBPRINT_TEXT_SIZE + 1];
    wba_jwk_t jwk;
    const char *why;
    json_t *public = keyfile_public(entry, &jwk, &why);

    if (public == NULL) {
        return cli_fail("%s: key %zu cannot be published: %s", path, index + 1,
                        why);
    }
    wba_thumbprint_text(jwk.key.thumbprint, (uint8_t *) thumbprint);
    thumbprint[WBA_THUMBPRINT_TEXT_SIZE] = '\0';
    if (json_object_get(j->seen, thumbprint) != NULL) {
        cli_note("%s: key %zu (%s) occurs twice; published once", path,
                 index + 1, thumbprint);
        json_decref(public);
        return CLI_OK;
    }
    (void) json_object_set_new(j->seen, thumbprint, json_true());
    if (wba_jwk_is_test_key(jwk.key.thumbprint)) {
        cli_note("%s: key %zu is a test key of RFC 9421, whose private half "
                 "everybody knows; servers refuse it",
                 path, index + 1);
    }
    if (set_kid(j, public, thumbprint) != CLI_OK) {
        json_decref(public);
        return CLI_TROUBLE;
    }
    set_rest(j, public, &jwk.key);
    (void) json_array_append_new(j->keys, public);
    return CLI_OK;
}

static int
add_file(jwks_t *j, const char *path)
{
    json_t *keys, *entry;
    int rc = keyfile_read(path, &keys);
    size_t i;

    if (rc != CLI_OK) {
        return rc;
    }
    json_array_foreach(keys, i, entry)
    {
        rc = add_key(j, path, i, entry);
        if (rc != CLI_OK) {
            break;
        }
    }
    json_decref(keys);
    return rc;
}

static int
print(const jwks_t *j)
{
    json_t *set = json_pack("{sO}", "keys", j->keys);
    int rc = text_put_json(set);

    json_decref(set);
    return rc;
}

static int
run(int argc, char **argv)
{
    jwks_t j = { .kid = "thumbprint" };
    int rc = options(argc, argv, &j);
    int i;

    if (rc != CLI_OK) {
        return rc;
    }
    j.keys = json_array();
    j.seen = json_object();
    for (i = optind; i < argc && rc == CLI_OK; i++) {
        rc = add_file(&j, argv[i]);
    }
    if (rc == CLI_OK && strcmp(j.kid, "keep") != 0
        && strcmp(j.kid, "thumbprint") != 0 && json_array_size(j.keys) > 1)
    {
        rc = cli_fail("--kid %s would name %zu keys alike; use --kid keep or "
                      "--kid thumbprint",
                      j.kid, json_array_size(j.keys));
    }
    if (rc == CLI_OK) {
        rc = print(&j);
    }
    json_decref(j.keys);
    json_decref(j.seen);
    return rc;
}

const cli_command_t cmd_jwks = {
    "jwks",
    "make a public key directory from keys",
    "Usage: wba jwks [--kid thumbprint|keep|KID] [--nbf TIME] [--exp TIME]\n"
    "                FILE...\n"
    "\n"
    "Prints one public JWK Set of all keys in the files ('-': the standard\n"
    "input), each a JWK or JWK Set, private or public. No private member is\n"
    "ever printed.\n"
    "\n"
    "  --kid ...    thumbprint: name each key by its thumbprint (default);\n"
    "               keep: by its own kid where it has one; anything else is\n"
    "               the kid of a single key\n"
    "  --nbf TIME   not to be used before; default: what the file says\n"
    "  --exp TIME   nor from then on; default: what the file says\n"
    "\n"
    "TIME is seconds since 1970, 2026-12-31T00:00:00Z, now, or +30d.\n",
    "# the directory to publish\n"
    "wba jwks agent.key > keys.json\n"
    "# two keys, by their own names, for ninety days\n"
    "wba jwks --kid keep --exp +90d agent.key p256.key > both.json\n",
    "0 printed, 2 wrong use, or a file that cannot be read or holds\n"
    "no key that can be published.\n",
    run,
};
