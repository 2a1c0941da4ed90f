# SPDX-License-Identifier: BSD-2-Clause
"""A configuration with room at each level, for tests of nginx -t: MORE in
http, SERVER, LOCATION."""

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    %%MORE%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        web_bot_auth_scheme https;
        %%SERVER%%
        location / { %%LOCATION%% }
    }
}
"""
