// SPDX-License-Identifier: BSD-2-Clause
// Signs requests with the npm package web-bot-auth, which we did not write.
//
//   node sign.cjs FOLDER-OF-NODE_MODULES < lines of JSON > lines of JSON
//
// In:  {"url", "method", "headers", "jwk", "created", "expires", "nonce",
//       "label", "components"}; all but url and jwk may be missing, times are
//      seconds.
// Out: {"headers": those of the signature, "keyid": of the JWK}
"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");

const modules = createRequire(path.join(path.resolve(process.argv[2]), "x"));
const { signatureHeaders, jwkToKeyID, helpers } = modules("web-bot-auth");
const { signerFromJWK } = modules("web-bot-auth/crypto");

const date = (seconds) => new Date(seconds * 1000);

async function sign(wanted) {
    const now = Math.floor(Date.now() / 1000);
    const request = new Request(wanted.url, {
        method: wanted.method ?? "GET",
        headers: wanted.headers ?? {},
    });
    const headers = await signatureHeaders(
        request,
        await signerFromJWK(wanted.jwk),
        {
            created: date(wanted.created ?? now),
            expires: date(wanted.expires ?? now + 300),
            nonce: wanted.nonce,
            key: wanted.label,
            components: wanted.components,
        },
    );
    const keyid = await jwkToKeyID(wanted.jwk, helpers.WEBCRYPTO_SHA256,
                                   helpers.BASE64URL_DECODE);
    return { headers, keyid };
}

async function main() {
    for await (const line of readline.createInterface(process.stdin)) {
        console.log(JSON.stringify(await sign(JSON.parse(line))));
    }
}

main();
