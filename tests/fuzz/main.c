/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a target over files and folders of inputs, without a fuzzer: for
 * compilers that have none, for coverage, and for debuggers.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

int __attribute__((weak))
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    return 0;
}

static unsigned runs;

static void
run_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1);

    if (file == NULL || data == NULL) {
        perror(path);
        exit(1);
    }
    size = fread(data, 1, size, file);
    (void) fclose(file);
    (void) LLVMFuzzerTestOneInput(data, size);
    free(data);
    runs++;
}

static void
run_path(const char *path)
{
    struct dirent *entry;
    struct stat info;
    char below[4096];
    DIR *folder;

    if (stat(path, &info) != 0) {
        perror(path);
        exit(1);
    }
    if (!S_ISDIR(info.st_mode)) {
        run_file(path, (size_t) info.st_size);
        return;
    }
    folder = opendir(path);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.') {
            (void) snprintf(below, sizeof(below), "%s/%s", path,
                            entry->d_name);
            run_path(below);
        }
    }
    if (folder != NULL) {
        (void) closedir(folder);
    }
}

int
main(int argc, char **argv)
{
    int i;

    (void) LLVMFuzzerInitialize(&argc, &argv);
    for (i = 1; i < argc; i++) {
        run_path(argv[i]);
    }
    (void) printf("%u inputs\n", runs);
    return 0;
}
