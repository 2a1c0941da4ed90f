#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The module and the tool are hardened as Debian's packages are.  Usage:
#   CFLAGS=... LDFLAGS=... hardening.sh BUILD
# CFLAGS and LDFLAGS are the Makefile's; BUILD is a folder that gcc filled.
# Flags are compared with dpkg-buildflags'; that they took effect is read from
# the binaries.
set -u
build=$1
wba=$build/wba
module=$build/ngx_http_web_bot_auth_module.so
bad=0

fail() {
    echo "$*" >&2
    bad=1
}

# --- flags: every one of Debian's, but for those about debugging, optimising
# and the names of folders.

debian() {
    DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get "$1" \
        | tr ' ' '\n' | grep -vE '^(-g|-O2|-ffile-prefix-map=.*|)$'
}

# has WHERE FLAGS NAME...: each NAME of dpkg-buildflags is a word of FLAGS
has() {
    local where=$1 flags=" $2 " name flag
    shift 2
    for name in "$@"; do
        [ -n "$(debian "$name")" ] || fail "dpkg-buildflags has no $name"
        for flag in $(debian "$name"); do
            [[ $flags == *" $flag "* ]] || fail "$where lacks $flag"
        done
    done
}

nginx_flags=$(sed -n 's/^CFLAGS = *//p' "$build/nginx/Makefile")
nginx_ld=$(grep -e '-Wl,-z,' "$build/nginx/Makefile" | tr '\n\t' '  ')
has "the tool's compiler" "$CFLAGS" CFLAGS CPPFLAGS
has "the tool's linker" "$LDFLAGS" LDFLAGS
has "the module's compiler" "$nginx_flags" CFLAGS CPPFLAGS
has "the module's linker" "$nginx_ld" LDFLAGS

# --- binaries

# want FILE WHAT TEXT PATTERN: a line of TEXT matches
want() {
    grep -qE -- "$4" <<< "$3" || fail "$1: $2"
}

for file in "$wba" "$module"; do
    header=$(readelf -hW "$file")
    segments=$(readelf -lW "$file")
    dynamic=$(readelf -dW "$file")
    symbols=$(readelf -W --dyn-syms "$file")
    want "$file" "not position independent" "$header" 'Type: +DYN'
    want "$file" "no relro" "$segments" ' GNU_RELRO '
    want "$file" "not bound at start" "$dynamic" '\(FLAGS_1\).* NOW'
    want "$file" "the stack is executable" "$segments" ' GNU_STACK .* RW '
    want "$file" "no stack protector" "$symbols" ' __stack_chk_fail@'
    want "$file" "nothing is fortified" "$symbols" ' __v?snprintf_chk@'
    [[ $dynamic != *"(TEXTREL)"* ]] || fail "$file: relocations in its text"
    [[ $dynamic != *PATH\)* ]] || fail "$file: a path for libraries"
done
want "$wba" "no PIE" "$(readelf -dW "$wba")" '\(FLAGS_1\).* PIE'

# What leaves no mark in a linked file is in each unit's record of the
# compiler's options.
for file in "$wba" "$module"; do
    units=$(readelf --debug-dump=info "$file" | grep -E 'DW_AT_producer')
    want "$file" "no debug information" "$units" 'GNU C'
    for flag in -fstack-protector-strong -fstack-clash-protection; do
        without=$(grep -cv -- "$flag" <<< "$units")
        [ "$without" = 0 ] || fail "$file: $without files without $flag"
    done
done

# The linker marks a file for CET only if the C library's start files are
# marked, too; Debian 12's are not.  Ours are, each one.
case $(uname -m) in
x86_64) mark='IBT, SHSTK' ;;
aarch64) mark='BTI, PAC' ;;
*) mark= ;;
esac
if [ -n "$mark" ]; then
    while read -r object; do
        readelf -nW "$object" | grep -q "$mark" || fail "$object: no $mark"
    done < <(find "$build/obj" "$build/nginx/addon" -name '*.o')
fi

[ $bad = 0 ] && echo "hardening: as Debian's, and seen in the binaries"
exit $bad
