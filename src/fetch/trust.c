/* SPDX-License-Identifier: BSD-2-Clause */
#include "trust.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

#define LINE 256

static bool
begins_certificate(const char *line)
{
    return strncmp(line, "-----BEGIN CERTIFICATE-----", 27) == 0
           || strncmp(line, "-----BEGIN TRUSTED CERTIFICATE-----", 35) == 0
           || strncmp(line, "-----BEGIN X509 CERTIFICATE-----", 32) == 0;
}

static bool
has_certificate(const char *name)
{
    FILE *file = fopen(name, "re");
    char line[LINE];
    size_t seen = 0;
    bool found = false;

    if (file == NULL) {
        return false;
    }
    while (!found && seen < WBA_MAX_TRUST
           && fgets(line, sizeof(line), file) != NULL)
    {
        found = begins_certificate(line);
        seen += strlen(line) + 1;
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
