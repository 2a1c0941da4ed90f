/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine with another store of certificates, for a preloaded nginx: libcurl
 * says that it was built with WBA_TEST_CAINFO ("": with none) and
 * WBA_TEST_CAPATH.
 */
#include <dlfcn.h>
#include <stdlib.h>

#include <curl/curl.h>

static const char *
place(const char *variable)
{
    const char *value = getenv(variable);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

curl_version_info_data *
curl_version_info(CURLversion stamp)
{
    static curl_version_info_data data;
    void *curl = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    curl_version_info_data *(*real)(CURLversion) =
        (curl_version_info_data *(*)(CURLversion)) dlsym(curl,
                                                         "curl_version_info");

    data = *real(stamp);
    data.cainfo = place("WBA_TEST_CAINFO");
    data.capath = place("WBA_TEST_CAPATH");
    return &data;
}
