// SPDX-License-Identifier: BSD-2-Clause
// Signs requests with an npm package that we did not write.
//
//   node sign.cjs FOLDER-OF-NODE_MODULES PACKAGE < lines of JSON > the same
//
// In:  {"url", "method", "headers", "jwk", "alg", "keyid", "created",
//       "expires", "nonce", "tag", "label", "components"}; all but url and jwk
//      may be missing, times are seconds, "alg" is RFC 9421's name.
// Out: {"headers": those of the signature}, or {"error": what the package said}
"use strict";

const crypto = require("node:crypto");
const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");

const modules = createRequire(path.join(path.resolve(process.argv[2]), "x"));

const date = (seconds) => new Date(seconds * 1000);

// Cloudflare's web-bot-auth: tag, keyid and alg are its own affair.
async function webBotAuth(wanted) {
    const { signatureHeaders } = modules("web-bot-auth");
    const { signerFromJWK } = modules("web-bot-auth/crypto");
    const request = new Request(wanted.url, {
        method: wanted.method,
        headers: wanted.headers,
        body: wanted.body,
    });
    return await signatureHeaders(request, await signerFromJWK(wanted.jwk), {
        created: date(wanted.created),
        expires: date(wanted.expires),
        nonce: wanted.nonce,
        key: wanted.label,
        components: wanted.components,
    });
}

// 'name;key="x";bs' to the package's descriptor.
function descriptor(component, text) {
    const [name, ...params] = text.split(";");
    return component(name, Object.fromEntries(params.map((param) => {
        const [key, value] = param.split("=");
        return [key, value === undefined ? true : JSON.parse(value)];
    })));
}

// Cloudflare's http-message-sig.
async function httpMessageSig(wanted) {
    const { createSignature, component } = modules("http-message-sig");
    const key = crypto.createPrivateKey({ key: wanted.jwk, format: "jwk" });
    const fields = Object.entries(wanted.headers)
        .map(([name, value]) => ({ name, value }));
    const made = await createSignature({
        kind: "request",
        method: wanted.method,
        targetUri: wanted.url,
        requestTarget: wanted.url.replace(/^https:\/\/[^/]*/, ""),
        fields,
    }, {
        label: wanted.label,
        components: wanted.components.map((c) => descriptor(component, c)),
        parameters: {
            created: wanted.created,
            expires: wanted.expires,
            keyid: wanted.keyid,
            alg: wanted.alg,
            nonce: wanted.nonce ?? undefined,
            tag: wanted.tag,
        },
        signer: {
            algorithm: wanted.alg ?? "ed25519",
            sign: (data) => rawSignature(key, wanted.alg, data),
        },
    });
    return {
        "Signature-Input": made.signatureInput,
        "Signature": made.signature,
    };
}

// The package leaves the cryptography to its caller.
function rawSignature(key, alg, data) {
    const padding = crypto.constants.RSA_PKCS1_PSS_PADDING;
    switch (alg ?? "ed25519") {
    case "ed25519":
        return crypto.sign(null, data, key);
    case "ecdsa-p256-sha256":
        return crypto.sign("sha256", data, { key, dsaEncoding: "ieee-p1363" });
    case "rsa-pss-sha512":
        return crypto.sign("sha512", data, { key, padding, saltLength: 64 });
    case "rsa-pss-sha256":
        return crypto.sign("sha256", data, { key, padding });
    default:
        throw new Error("no algorithm " + alg);
    }
}

// Daniel Hensby's http-message-signatures.
async function httpMessageSignatures(wanted) {
    const { httpbis, createSigner } = modules("http-message-signatures");
    const alg = wanted.alg ?? "ed25519";
    const key = crypto.createPrivateKey({ key: wanted.jwk, format: "jwk" });
    const given = ["created", "expires", "keyid", "alg", "nonce", "tag"];
    const made = await httpbis.signMessage({
        key: alg === "rsa-pss-sha256"
            ? { id: wanted.keyid, alg,
                sign: async (data) => rawSignature(key, alg, data) }
            : createSigner(key, alg, wanted.keyid),
        name: wanted.label,
        fields: wanted.components,
        params: given.filter((p) => p === "alg" ? wanted.alg : wanted[p]),
        paramValues: {
            created: date(wanted.created),
            expires: date(wanted.expires),
            nonce: wanted.nonce ?? undefined,
            tag: wanted.tag,
        },
    }, { method: wanted.method, url: wanted.url, headers: wanted.headers });
    return {
        "Signature-Input": made.headers["Signature-Input"],
        "Signature": made.headers["Signature"],
    };
}

const clients = {
    "web-bot-auth": webBotAuth,
    "http-message-sig": httpMessageSig,
    "http-message-signatures": httpMessageSignatures,
};

async function sign(wanted) {
    const now = Math.floor(Date.now() / 1000);
    const usual = {
        method: "GET",
        headers: {},
        created: now,
        expires: now + 300,
    };
    return await clients[process.argv[3]]({ ...usual, ...wanted });
}

async function main() {
    for await (const line of readline.createInterface(process.stdin)) {
        let answer;
        try {
            answer = { headers: await sign(JSON.parse(line)) };
        } catch (error) {
            answer = { error: String(error) };
        }
        console.log(JSON.stringify(answer));
    }
}

main();
