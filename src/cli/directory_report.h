/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What there is to say about one directory: asked for, read as the module
 * reads it, and put into words.
 */
#ifndef WBA_CLI_DIRECTORY_REPORT_H
#define WBA_CLI_DIRECTORY_REPORT_H

#include <jansson.h>

#include "directory.h"
#include "mem.h"
#include "profile.h"

/* Bounds of a directory block, where no option says otherwise. */
#define DIRECTORY_TIMEOUT 5              /* seconds */
#define DIRECTORY_MAX_TIMEOUT 60         /* the same; the most */
#define DIRECTORY_MAX_SIZE (1024 * 1024) /* bytes */
#define DIRECTORY_MAX_KEYS 10000
#define DIRECTORY_REFRESH_MIN 300        /* seconds */
#define DIRECTORY_REFRESH_MAX 86400      /* seconds */

/* What is asked, and how: the command line.  All borrowed from it. */
typedef struct {
    const char *source; /* as given: a URL, or the path of a file */
    bool is_file;       /* source is a path; "-": the standard input */
    const wba_profile_t *profile;
    unsigned algorithms; /* mask of wba_alg_t; 0: the profile's */
    int64_t now;
    const char *ca;   /* NULL: the system's */
    const char *type; /* media type of a file; NULL: the right one */
    int64_t timeout;  /* seconds */
    size_t max_size;
    size_t max_keys;
    int64_t refresh_min;
    int64_t refresh_max;
    bool test_keys;
    bool proof_required;
    bool public_only;
    bool revalidate;
} directory_ask_t;

/* Header lines that are shown; several of one name are joined. */
typedef enum {
    DIRECTORY_CONTENT_TYPE,
    DIRECTORY_CONTENT_ENCODING,
    DIRECTORY_LOCATION,
    DIRECTORY_CACHE_CONTROL, /* from here on: caching */
    DIRECTORY_EXPIRES,
    DIRECTORY_DATE,
    DIRECTORY_AGE,
    DIRECTORY_ETAG,
    DIRECTORY_LAST_MODIFIED,
    DIRECTORY_RETRY_AFTER,
    DIRECTORY_FIELDS
} directory_field_t;

/* The field's name, in the case that specifications write it. */
const char *directory_field_name(directory_field_t field);

/* What a second, conditional request came to. */
typedef enum {
    DIRECTORY_NOT_ASKED,
    DIRECTORY_NOT_MODIFIED, /* 304 */
    DIRECTORY_IN_FULL,      /* 200 once more */
    DIRECTORY_AGAIN_FAILED
} directory_again_t;

/* One member of "keys". */
typedef struct {
    wba_jwks_severity_t severity;
    size_t index;
    char thumbprint[WBA_THUMBPRINT_TEXT_SIZE + 1]; /* "": none */
    char *text; /* what is wrong; "" for nothing */
    bool usable;
    unsigned algs; /* of a usable one, as in wba_key_t */
    int64_t nbf;
    int64_t exp;
} directory_entry_t;

/* How an agent would name the directory. */
typedef struct {
    const char *form; /* "dictionary", "dictionary-url", "string" */
    wba_str_t field;  /* the value of Signature-Agent */
    const char *component; /* to be covered */
} directory_form_t;

#define DIRECTORY_FORMS 3
#define DIRECTORY_WARNINGS 16

typedef struct {
    const directory_ask_t *ask;
    void *block; /* of the arena */
    wba_arena_t arena;
    wba_mem_t mem;
    bool no_memory;

    const char *url; /* that was asked, resolved; NULL for a file */
    bool well_known;
    wba_str_t agent; /* how a Signature-Agent is best to name it; data NULL for
                        a file, or where the profile has none */

    /* The answer. */
    wba_fetch_error_t error;
    int status; /* 0: none */
    char address[64];
    uint64_t elapsed_ms;
    bool decoded;
    bool type_fits;    /* where there is a 200 */
    bool redirects;    /* it leads somewhere else */
    bool redirects_www; /* "redirect www" would follow */
    wba_str_t fields[DIRECTORY_FIELDS]; /* data NULL: not there */

    /* What the module makes of it. */
    bool taken;
    char why_not[256]; /* "" where taken */
    size_t used;       /* keys that would be held */
    wba_proof_t proof;
    char proof_text[256];
    bool has_freshness; /* it was taken */
    bool states_freshness; /* its header says how long it is fresh */
    int64_t stated;    /* seconds, before refresh MIN MAX */
    int64_t lifetime;  /* seconds */
    int64_t refresh_from; /* seconds after which it is fetched again */
    int64_t refresh_to;
    int64_t retry;     /* seconds after a failure */
    char etag[WBA_MAX_VALIDATOR];
    char last_modified[WBA_MAX_VALIDATOR];
    directory_again_t again;
    char again_text[256];

    /* The document, entry by entry. */
    bool has_set;      /* there was something to look into */
    char document_error[160]; /* what is wrong with it as a whole */
    size_t nentries;   /* members of "keys" */
    size_t usable;
    size_t valid;      /* of the usable ones, now */
    size_t alerts;
    directory_entry_t *entries;
    size_t nnoted;     /* in entries: 0 where there are too many */
    size_t entries_cap;
    json_t *keys;      /* what was published; NULL: cannot be read */

    directory_form_t forms[DIRECTORY_FORMS];
    size_t nforms;
    const char *warnings[DIRECTORY_WARNINGS];
    size_t nwarnings;
    wba_str_t configuration; /* lines; data NULL where not taken */
} directory_report_t;

/* Asks, reads and fills in r, which directory_report_free() ends in any case.
 * CLI_OK, whatever came of it; CLI_TROUBLE, and it has said why. */
int directory_report_make(directory_report_t *r, const directory_ask_t *ask);
void directory_report_free(directory_report_t *r);

/* Whether a key may be used at that time. */
bool directory_entry_valid(const directory_entry_t *e, int64_t now);

/* What was published as entry e, or NULL; borrowed. */
const json_t *directory_entry_json(const directory_report_t *r,
                                   const directory_entry_t *e);

/* A string member of a published entry, as it came; data NULL: none. */
wba_str_t directory_entry_member(const directory_report_t *r,
                                 const directory_entry_t *e,
                                 const char *name);

/* Whether the reader came to look for a possession proof. */
bool directory_proof_known(const directory_report_t *r);

/* Fills in forms, warnings and configuration.  False: no memory. */
bool directory_words(directory_report_t *r);

/* Print it.  CLI_OK, or CLI_TROUBLE. */
void directory_print_text(const directory_report_t *r);
int directory_print_json(const directory_report_t *r);

#endif
