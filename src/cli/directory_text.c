/* SPDX-License-Identifier: BSD-2-Clause */
/* A directory's report for people; a stranger's bytes are escaped. */
#include <inttypes.h>
#include <stdio.h>

#include "color.h"
#include "directory_report.h"
#include "text.h"
#include "when.h"

static void
put_heading(wba_str_t text)
{
    color_begin(stdout, COLOR_HEADING);
    text_put(stdout, text);
    color_end(stdout);
}

/* "  label          " */
static void
put_label(const char *label)
{
    (void) printf("  %-15s", label);
}

static void
put_line(const char *label, wba_str_t value)
{
    put_label(label);
    text_put(stdout, value);
    (void) fputc('\n', stdout);
}

static void
put_fields(const directory_report_t *r, size_t from, size_t to)
{
    size_t i;

    for (i = from; i < to; i++) {
        if (r->fields[i].data != NULL) {
            put_line(directory_field_name((directory_field_t) i),
                     r->fields[i]);
        }
    }
}

/* --- what was asked and what came */

static void
put_redirect(const directory_report_t *r)
{
    if (!r->redirects) {
        return;
    }
    put_line("redirects to", r->fields[DIRECTORY_LOCATION]);
    put_label("");
    (void) puts(r->redirects_www
                    ? "not followed; \"redirect www\" would"
                    : "not followed, and \"redirect www\" would not either");
}

static void
put_fits(bool fits)
{
    (void) fputs(": ", stdout);
    if (fits) {
        (void) fputs("fits", stdout);
    } else {
        color_put(stdout, COLOR_BAD, "DOES NOT FIT");
    }
}

static void
put_type(const directory_report_t *r)
{
    wba_str_t type = r->fields[DIRECTORY_CONTENT_TYPE];

    if (r->status == 0) {
        return;
    }
    put_label("media type");
    if (type.data != NULL) {
        text_put(stdout, type);
    } else {
        (void) fputs("none", stdout);
    }
    if (r->status == 200) {
        put_fits(r->type_fits);
        (void) fputs(r->well_known ? " the well-known path"
                                   : " a path of its own",
                     stdout);
    }
    (void) fputc('\n', stdout);
    if (r->fields[DIRECTORY_CONTENT_ENCODING].data != NULL) {
        put_line("content coding", r->fields[DIRECTORY_CONTENT_ENCODING]);
    }
}

static void
put_file(const directory_report_t *r)
{
    const directory_ask_t *ask = r->ask;

    if (strcmp(ask->source, "-") == 0) {
        put_heading(WBA_STR("the standard input"));
    } else {
        put_heading(wba_str_z(ask->source));
    }
    (void) fputc('\n', stdout);
    if (ask->type != NULL) {
        put_label("media type");
        text_put(stdout, wba_str_z(ask->type));
        put_fits(r->type_fits);
        (void) puts(" a path of its own");
    } else {
        put_line("media type", WBA_STR("not known of a file, taken as right"));
    }
}

static void
put_answer(const directory_report_t *r)
{
    if (r->ask->is_file) {
        put_file(r);
        return;
    }
    put_heading(wba_str_z(r->url));
    (void) fputc('\n', stdout);
    if (strcmp(r->url, r->ask->source) != 0) {
        put_label("given as");
        text_put(stdout, wba_str_z(r->ask->source));
        (void) fputc('\n', stdout);
    }
    put_line("connected to", wba_str_z(r->address[0] ? r->address : "nobody"));
    put_label("status");
    if (r->status != 0) {
        (void) printf("%d", r->status);
    } else {
        (void) printf("none (%s)", wba_fetch_error_name(r->error));
    }
    (void) printf(" after %" PRIu64 " ms\n", r->elapsed_ms);
    put_redirect(r);
    put_type(r);
}

/* --- caching */

static void
put_duration(int64_t seconds)
{
    char text[WHEN_TEXT];

    when_format_duration(seconds, text);
    (void) fputs(text, stdout);
}

static void
put_stated(const directory_report_t *r)
{
    put_label("header says");
    if (!r->states_freshness) {
        (void) puts("nothing, so an hour is assumed");
        return;
    }
    (void) fputs("fresh for ", stdout);
    put_duration(r->stated);
    if (r->stated < r->lifetime) {
        (void) fputs("; raised to refresh's minimum", stdout);
    } else if (r->stated > r->lifetime) {
        (void) fputs("; lowered to refresh's maximum", stdout);
    }
    (void) fputc('\n', stdout);
}

static void
put_again(const directory_report_t *r)
{
    switch (r->again) {
    case DIRECTORY_NOT_ASKED:
        return;
    case DIRECTORY_NOT_MODIFIED:
        put_line("asked again", WBA_STR("304: conditional requests work"));
        return;
    case DIRECTORY_IN_FULL:
        put_line("asked again", WBA_STR("200: conditional requests are "
                                        "answered in full"));
        return;
    default:
        put_line("asked again", wba_str_z(r->again_text));
    }
}

static void
put_fresh(const directory_report_t *r)
{
    put_stated(r);
    put_label("fresh for");
    (void) printf("%" PRId64 " s (", r->lifetime);
    put_duration(r->lifetime);
    (void) printf(") under refresh %" PRId64 "s %" PRId64 "s\n",
                  r->ask->refresh_min, r->ask->refresh_max);
    put_label("fetched again");
    (void) printf("after %" PRId64 " to %" PRId64 " s\n", r->refresh_from,
                  r->refresh_to);
    put_again(r);
}

static void
put_caching(const directory_report_t *r)
{
    if (r->ask->is_file) {
        return;
    }
    (void) fputc('\n', stdout);
    put_heading(WBA_STR("caching"));
    (void) fputc('\n', stdout);
    put_fields(r, DIRECTORY_CACHE_CONTROL, DIRECTORY_FIELDS);
    if (r->has_freshness) {
        put_fresh(r);
    }
    if (!r->taken) {
        put_label("tried again");
        (void) printf("after %" PRId64 " s, then less and less often\n",
                      r->retry);
    }
}

/* --- keys */

static void
put_member(const directory_report_t *r, const directory_entry_t *e,
           const char *name)
{
    wba_str_t value = directory_entry_member(r, e, name);

    if (value.data != NULL) {
        (void) printf(" %s ", name);
        text_put(stdout, value);
    }
}

static void
put_type_of(const directory_report_t *r, const directory_entry_t *e)
{
    unsigned alg;
    const char *between = ": for ";

    (void) fputs("      type      ", stdout);
    put_member(r, e, "kty");
    put_member(r, e, "crv");
    put_member(r, e, "alg");
    for (alg = 1; e->usable && alg <= WBA_ALG_RSA_PSS_SHA256; alg <<= 1) {
        if (e->algs & alg) {
            (void) printf("%s%s", between, wba_alg_name((wba_alg_t) alg));
            between = ", ";
        }
    }
    (void) fputc('\n', stdout);
}

static void
put_bound(const char *name, int64_t t, int64_t now)
{
    char date[WHEN_TEXT], age[WHEN_TEXT];

    if (t == 0) {
        return;
    }
    when_format(t, date);
    when_format_age(t, now, age);
    (void) printf("      %-11s%s (%s)\n", name, date, age);
}

static void
put_validity(const directory_entry_t *e, int64_t now)
{
    if (!e->usable) {
        return;
    }
    put_bound("nbf", e->nbf, now);
    put_bound("exp", e->exp, now);
    (void) printf("      %-11s", "now");
    if (directory_entry_valid(e, now)) {
        (void) fputs("valid", stdout);
    } else {
        color_put(stdout, COLOR_DOUBT,
                  e->nbf > now ? "NOT YET VALID" : "EXPIRED");
    }
    (void) fputc('\n', stdout);
}

static void
put_entry(const directory_report_t *r, const directory_entry_t *e)
{
    static const char *const words[] = {
        [WBA_JWKS_TAKEN] = "usable",
        [WBA_JWKS_WARNING] = "usable, but",
        [WBA_JWKS_SKIPPED] = "SKIPPED:",
        [WBA_JWKS_ALERT] = "ALERT:",
    };
    static const color_t colors[] = {
        [WBA_JWKS_TAKEN] = COLOR_GOOD,
        [WBA_JWKS_WARNING] = COLOR_DOUBT,
        [WBA_JWKS_SKIPPED] = COLOR_DOUBT,
        [WBA_JWKS_ALERT] = COLOR_BAD,
    };
    wba_str_t kid = directory_entry_member(r, e, "kid");

    (void) printf("  %3zu ", e->index);
    color_put(stdout, colors[e->severity], words[e->severity]);
    (void) printf("%s%s\n", e->text[0] ? " " : "", e->text);
    if (e->thumbprint[0]) {
        (void) printf("      thumbprint %s\n", e->thumbprint);
    }
    if (kid.data != NULL) {
        (void) fputs("      kid        ", stdout);
        text_put(stdout, kid);
        (void) fputc('\n', stdout);
    }
    put_type_of(r, e);
    put_validity(e, r->ask->now);
}

static void
put_keys(const directory_report_t *r)
{
    size_t i;

    if (!r->has_set) {
        return;
    }
    (void) fputc('\n', stdout);
    put_heading(WBA_STR("keys"));
    (void) printf(": %zu entr%s, %zu usable, %zu of them valid now\n",
                  r->nentries, r->nentries == 1 ? "y" : "ies", r->usable,
                  r->valid);
    if (r->document_error[0]) {
        (void) fputs("  ", stdout);
        text_put(stdout, wba_str_z(r->document_error));
        (void) fputc('\n', stdout);
    }
    for (i = 0; i < r->nnoted; i++) {
        put_entry(r, &r->entries[i]);
    }
}

/* --- proof, names, verdict */

static void
put_proof(const directory_report_t *r)
{
    if (!directory_proof_known(r)) {
        return;
    }
    (void) fputc('\n', stdout);
    put_heading(WBA_STR("possession proof"));
    (void) fputs(": ", stdout);
    switch (r->proof.state) {
    case WBA_PROOF_GOOD:
        color_put(stdout, COLOR_GOOD, "good");
        (void) printf(", of %zu of %zu keys\n", r->proof.proven,
                      r->usable);
        return;
    case WBA_PROOF_BAD:
        color_put(stdout, COLOR_BAD, "BAD:");
        (void) fputc(' ', stdout);
        text_put(stdout, wba_str_z(r->proof_text));
        (void) fputc('\n', stdout);
        return;
    default:
        (void) puts("none");
    }
}

static void
put_forms(const directory_report_t *r)
{
    size_t i;

    if (r->nforms == 0) {
        return;
    }
    (void) fputc('\n', stdout);
    put_heading(WBA_STR("how a Signature-Agent names it"));
    (void) fputc('\n', stdout);
    for (i = 0; i < r->nforms; i++) {
        (void) fputs("  Signature-Agent: ", stdout);
        text_put(stdout, r->forms[i].field);
        (void) printf("\n      covered as %s (%s)\n", r->forms[i].component,
                      r->forms[i].form);
    }
}

/* Line by line, as a line end is one byte that is escaped otherwise. */
static void
put_configuration(wba_str_t text)
{
    const uint8_t *end;
    size_t n;

    if (text.data == NULL) {
        return;
    }
    (void) fputc('\n', stdout);
    while (text.len > 0) {
        end = memchr(text.data, '\n', text.len);
        n = end != NULL ? (size_t) (end - text.data) : text.len;
        text_put(stdout, wba_str(text.data, n));
        (void) fputc('\n', stdout);
        n += end != NULL;
        text = wba_str(text.data + n, text.len - n);
    }
}

static void
put_verdict(const directory_report_t *r)
{
    size_t i;

    (void) fputc('\n', stdout);
    for (i = 0; i < r->nwarnings; i++) {
        color_put(stdout, COLOR_DOUBT, "warning:");
        (void) printf(" %s\n", r->warnings[i]);
    }
    if (r->taken) {
        color_put(stdout, COLOR_GOOD, "The module would take it");
        (void) printf(", with %zu key%s.\n", r->used,
                      r->used == 1 ? "" : "s");
        put_configuration(r->configuration);
        return;
    }
    color_put(stdout, COLOR_BAD, "The module would NOT take it:");
    (void) fputc(' ', stdout);
    text_put(stdout, wba_str_z(r->why_not));
    (void) fputc('\n', stdout);
}

void
directory_print_text(const directory_report_t *r)
{
    put_answer(r);
    put_caching(r);
    put_keys(r);
    put_proof(r);
    put_forms(r);
    put_verdict(r);
}
