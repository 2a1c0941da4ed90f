#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Dependencies point one way: cli -> fetch -> core, nginx -> fetch -> core.
# Fails with the lines that point another way.
set -u
cd "$(dirname "$0")/../.."
bad=0

# forbid FOLDER PATTERN WHY: no file of FOLDER includes what PATTERN matches
forbid() {
    if grep -rnE "^[[:space:]]*#[[:space:]]*include[[:space:]]+$2" \
        --include='*.[ch]' "$1"; then
        echo "^ $3" >&2
        bad=1
    fi
}

headers() { (cd "src/$1" && ls -- *.h 2>/dev/null) | tr '\n' '|' | sed 's/|$//; s/\./\\./g'; }

forbid src/core '[<"]ngx_' "core knows no nginx"
forbid src/core '[<"](curl/|hiredis)' "core does no I/O"
forbid src/core '[<"](sys/socket|poll|fcntl|unistd|time|sys/time)\.h' \
    "core does no I/O and asks no clock"
forbid src/core "\"($(headers fetch))\"" "core does not know fetch"
forbid src/fetch '[<"]ngx_' "fetch knows no nginx"
forbid src/cli '[<"]ngx_' "the tool knows no nginx"
for room in core fetch; do
    cli=$(headers cli)
    [ -z "$cli" ] || forbid "src/$room" "\"($cli)\"" "$room does not know cli"
done

# No clock, no standard allocator on the request path (jwk, jwks, keyset, state and
# keyring are not on it), no globals that change.
if grep -nE '\b(malloc|calloc|realloc|time|gettimeofday|clock_gettime)\(' \
    src/core/*.c | grep -vE '^src/core/(jwk|jwks|keyset|keyring|state)\.c:'; then
    echo "^ core takes memory and time from its caller" >&2
    bad=1
fi
if grep -nE '\b(fopen|open|read|write|socket|printf|fprintf|puts)\(' \
    src/core/*.c; then
    echo "^ core does no I/O" >&2
    bad=1
fi
[ $bad = 0 ] && echo "include directions hold"
exit $bad
