#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh JOBS PROGRAM...: unit tests, JOBS at a time; a line for each that
# passes, with why it skips, and all that it said for each that does not.  The
# environment has BUILD, and may have UNIT_WRAPPER, a command to run them by.
if [ "$1" = one ]; then
    log=$2.log
    if $UNIT_WRAPPER "$2" > "$log" 2>&1; then
        printf '  ok    %-28s %s\n' "${2##*/}" \
            "$(grep -o '[0-9]* test(s)\.$' "$log" | tail -n 1)"
        grep '^skipped: ' "$log" | sed 's/^/        /'
        exit 0
    fi
    { cat "$log"; echo "failed: ${2##*/}"; } | sed "s/^/${2##*/}: /"
    exit 1
fi
jobs=$1
shift
printf '%s\n' "$@" | xargs -P "$jobs" -n 1 sh "$0" one
