#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The Debian packages on this machine: installed, used, upgraded while nginx
# runs, purged.  Needs root, and a machine without an nginx service that somebody
# else has started; leaves it as it was.
#
#   run.sh OLD NEW    folders with the packages of two versions
set -euo pipefail
cd "$(dirname "$0")/../.."
old=$1 new=$2
module=libnginx-mod-http-web-bot-auth
link=/etc/nginx/modules-enabled/50-mod-http-web-bot-auth.conf
site=/etc/nginx/conf.d/web-bot-auth-packaging-test.conf
work=$(mktemp -d)
passed=0

fail() { echo "FAILED: $*" >&2; exit 1; }
ok() { passed=$((passed + 1)); echo "  ok    $*"; }

[ "$(id -u)" = 0 ] || { echo "packaging: needs root" >&2; exit 1; }
if [ -s /run/nginx.pid ] && kill -0 "$(cat /run/nginx.pid)" 2> /dev/null; then
    echo "packaging: an nginx service runs here; not touched" >&2
    exit 1
fi
dpkg-query -W $module web-bot-auth-tools 2> /dev/null | grep -q . \
    && { echo "packaging: the packages are installed here" >&2; exit 1; }

cleanup() {
    status=$?
    set +e
    [ -s /run/nginx.pid ] && kill -QUIT "$(cat /run/nginx.pid)"
    dpkg --purge $module web-bot-auth-tools > /dev/null 2>&1
    rm -rf "$site" "$work"
    [ -n "${policy:-}" ] && mv "$policy" /usr/sbin/policy-rc.d
    [ -n "${moved:-}" ] && mv "$moved" /etc/nginx/sites-enabled/default
    exit $status
}
trap cleanup EXIT

# In containers packages are kept from starting services; here they must.
if [ -e /usr/sbin/policy-rc.d ]; then
    policy=/usr/sbin/policy-rc.d.web-bot-auth-packaging-test
    mv /usr/sbin/policy-rc.d "$policy"
fi

# Debian's default site listens on port 80, which may be taken.
if [ -e /etc/nginx/sites-enabled/default ]; then
    moved=/etc/nginx/web-bot-auth-packaging-test.default
    mv /etc/nginx/sites-enabled/default "$moved"
fi
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

# --- installed

dpkg -i "$old"/$module[_]*.deb "$old"/web-bot-auth-tools[_]*.deb > "$work/log" 2>&1 \
    || { cat "$work/log"; fail "dpkg -i"; }
[ -L $link ] || fail "$link is not there"
[ "$(cat $link)" = "load_module modules/ngx_http_web_bot_auth_module.so;" ] \
    || fail "what $link says"
nginx -t -q || fail "nginx -t with the module alone"
ok "installed, and nginx -t passes"

wba keygen --out "$work/agent.key" 2> /dev/null
wba jwks "$work/agent.key" > "$work/keys.json"
chmod 755 "$work"; chmod 644 "$work/keys.json"
mandoc -T lint -W warning docs/wba.1 || fail "the page wba(1) has warnings"
ok "wba works, and its page is clean"

bash -c '. /usr/share/bash-completion/completions/wba
    COMP_WORDS=(wba ve) COMP_CWORD=1; _wba; [ "${COMPREPLY[*]}" = verify ]
    COMP_WORDS=(wba sign --key) COMP_CWORD=2; _wba
    [ "${COMPREPLY[*]}" = "--key --keyid" ]
    COMP_WORDS=(wba sign --profile "") COMP_CWORD=3; _wba
    [ "${COMPREPLY[*]}" = "tap agent-pay web-bot-auth" ]' \
    || fail "completion"
ok "bash completes commands, options and values"

# --- the files to include

snippets="web-bot-auth-trusted-agents.conf web-bot-auth-browse-and-pay.conf"
for file in $snippets; do
    cmp -s src/packaging/snippets/$file /etc/nginx/snippets/$file \
        || fail "/etc/nginx/snippets/$file"
done
cat > $site << END
web_bot_auth_directory visa { url file:$work/keys.json; profile tap; }
web_bot_auth_directory mastercard {
    url file:$work/keys.json;
    profile agent-pay;
    agent https://agentpay-key-directory.mastercard.com/;
}
include snippets/web-bot-auth-trusted-agents.conf;
upstream shop { server 127.0.0.1:9; }
server {
    listen 127.0.0.1:$port;
    server_name shop.example;
    web_bot_auth_scheme https;
    if (\$trusted_agent) { return 204; }
    include snippets/web-bot-auth-browse-and-pay.conf;
}
END
nginx -t -q || fail "nginx -t with the files to include"
ok "the files to include are there, and nginx takes them"

# --- used

cat > $site << END
web_bot_auth_directory shop { url file:$work/keys.json; profile tap; }
web_bot_auth_nonce_store shared cold=accept;
server {
    listen 127.0.0.1:$port;
    server_name shop.example;
    root /usr/share/nginx/html;
    web_bot_auth_scheme https;
    location = /status { web_bot_auth_status json; }
    location / { web_bot_auth on; try_files /index.html =404; }
}
END
/etc/init.d/nginx start > "$work/log" 2>&1 \
    || { cat "$work/log"; fail "nginx start"; }

status() { curl -sf -H 'Host: shop.example' "http://127.0.0.1:$port/status"; }
version() { status | python3 -c 'import json, sys; print(json.load(sys.stdin)["versions"]["module"])'; }
ask() {
    wba sign --key "$work/agent.key" --url https://shop.example/ --format headers > "$work/fields"
    curl -s -o /dev/null -w '%{http_code}' -H 'Host: shop.example' -H "@$work/fields" "http://127.0.0.1:$port/"
}
for _ in $(seq 100); do status > /dev/null && break; sleep 0.1; done
[ "$(ask)" = 200 ] || fail "a signed request gets $(ask)"
[ "$(curl -s -o /dev/null -w '%{http_code}' -H 'Host: shop.example' "http://127.0.0.1:$port/")" = 403 ] \
    || fail "an unsigned request is not refused"
ok "the packaged module lets a signed request in, and no other"

# --- upgraded

before=$(version)
pid=$(cat /run/nginx.pid)
dpkg -i "$new"/$module[_]*.deb "$new"/web-bot-auth-tools[_]*.deb > "$work/log" 2>&1 \
    || { cat "$work/log"; fail "the upgrade"; }
for _ in $(seq 100); do [ "$(version || true)" != "$before" ] && break; sleep 0.1; done
[ "$(version)" != "$before" ] || { cat "$work/log"; fail "still runs $before after the upgrade"; }
[ "$(cat /run/nginx.pid)" != "$pid" ] || fail "nginx is the same process"
[ "$(ask)" = 200 ] || fail "a signed request after the upgrade gets $(ask)"
ok "upgraded while it served: $before, then $(version)"

# With a configuration that fails, nginx is left alone and the admin told.
before=$(cat /run/nginx.pid)
echo "no_such_directive;" >> $site
dpkg -i "$old"/$module[_]*.deb > "$work/log" 2>&1 || { cat "$work/log"; fail "dpkg with a broken configuration"; }
grep -q "fails nginx -t. Mend it, then restart nginx" "$work/log" \
    || { cat "$work/log"; fail "no word about the broken configuration"; }
[ "$(cat /run/nginx.pid)" = "$before" ] || fail "nginx was touched"
[ "$(ask)" = 200 ] || fail "the old nginx does not serve"
sed -i '$d' $site
ok "a broken configuration stops no upgrade and no nginx"

# --- purged

rm $site
kill -QUIT "$(cat /run/nginx.pid)"
for _ in $(seq 100); do [ -s /run/nginx.pid ] || break; sleep 0.1; done
dpkg --purge $module web-bot-auth-tools > "$work/log" 2>&1 || { cat "$work/log"; fail "purge"; }
[ ! -e $link ] && [ ! -L $link ] && [ ! -L $link.removed ] || fail "$link stays"
for file in /usr/lib/nginx/modules/ngx_http_web_bot_auth_module.so /usr/bin/wba \
    /usr/share/nginx/modules-available/mod-http-web-bot-auth.conf \
    /etc/nginx/snippets/web-bot-auth-trusted-agents.conf \
    /etc/nginx/snippets/web-bot-auth-browse-and-pay.conf; do
    [ ! -e $file ] || fail "$file stays"
done
nginx -t -q || fail "nginx -t after the purge"
ok "purged, and nothing is left"
echo "$passed passed, 0 failed"
