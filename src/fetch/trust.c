/* SPDX-License-Identifier: BSD-2-Clause */
#include "trust.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

static const char *const begins[] = {
    "-----BEGIN CERTIFICATE-----",
    "-----BEGIN TRUSTED CERTIFICATE-----",
    "-----BEGIN X509 CERTIFICATE-----",
};

#define LINE 48 /* octets of a line: more than the longest of them */

static bool
begins_certificate(const char *line, size_t len)
{
    size_t i;

    for (i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        if (len == strlen(begins[i]) && memcmp(line, begins[i], len) == 0) {
            return true;
        }
    }
    return false;
}

static bool
has_certificate(const char *name)
{
    FILE *file = fopen(name, "re");
    char line[LINE];
    size_t seen, len = 0;
    bool found = false;
    int c;

    if (file == NULL) {
        return false;
    }
    for (seen = 0; !found && seen < WBA_MAX_TRUST; seen++) {
        c = getc(file);
        if (c == EOF) {
            break;
        }
        if (c == '\n') {
            len = 0;
        } else if (len < sizeof(line)) {
            line[len++] = (char) c;
            found = begins_certificate(line, len);
        }
    }
    (void) fclose(file);
    return found;
}

/* Eight hexadecimal digits, a dot, a number: OpenSSL's name for an authority
 * whose subject has that hash. */
static bool
is_hashed(const char *name)
{
    return strspn(name, "0123456789abcdef") == 8 && name[8] == '.'
           && name[9] != '\0'
           && strspn(name + 9, "0123456789") == strlen(name + 9);
}

static bool
has_certificates(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    char name[4096];
    bool found = false;
    int n;

    if (dir == NULL) {
        return false;
    }
    while (!found && (entry = readdir(dir)) != NULL) {
        if (!is_hashed(entry->d_name)) {
            continue;
        }
        n = snprintf(name, sizeof(name), "%s/%s", folder, entry->d_name);
        found = n > 0 && (size_t) n < sizeof(name) && has_certificate(name);
    }
    closedir(dir);
    return found;
}

bool
wba_trust_in(const char *file, const char *folder)
{
    if (file != NULL) {
        return has_certificate(file);
    }
    return folder != NULL && has_certificates(folder);
}

bool
wba_trust_system(const char **where)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

    if (where != NULL) {
        *where = info->cainfo != NULL ? info->cainfo : info->capath;
    }
    return wba_trust_in(info->cainfo, info->capath);
}
