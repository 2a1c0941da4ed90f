// SPDX-License-Identifier: BSD-2-Clause
// A service that verifies requests with npm's web-bot-auth, as one would put
// it behind nginx's auth_request: 200 or 403.
//
//   node peer.cjs FOLDER-OF-NODE_MODULES PORT JWK
//
// It looks at the signature and its times; at no nonce, no policy.
"use strict";

const http = require("node:http");
const { createRequire } = require("node:module");
const path = require("node:path");

const modules = createRequire(path.join(path.resolve(process.argv[2]), "x"));
const { verify } = modules("web-bot-auth");
const { verifierFromJWK } = modules("web-bot-auth/crypto");

async function main() {
  const verifier = await verifierFromJWK(JSON.parse(process.argv[4]));

  const server = http.createServer(async (request, response) => {
    const { host, "x-original-uri": uri, ...headers } = request.headers;
    let status = 200;
    try {
      await verify({
        method: request.method,
        url: "https://" + host + (uri ?? request.url),
        headers,
      }, verifier);
    } catch (error) {
      status = 403;
    }
    response.writeHead(status, { "Content-Length": 0 });
    response.end();
  });
  server.keepAliveTimeout = 600000;
  server.listen(Number(process.argv[3]), "127.0.0.1");
}

main();
