// SPDX-License-Identifier: BSD-2-Clause
// The npm package structured-headers as a filter: the lines of sf_filter.c.
//
//   node sf_filter.cjs FOLDER-OF-NODE_MODULES < lines > lines
"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");

const modules = createRequire(path.join(path.resolve(process.argv[2]), "x"));
const sf = modules("structured-headers");

const types = {
    item: (field) => sf.serializeItem(sf.parseItem(field)),
    list: (field) => sf.serializeList(sf.parseList(field)),
    dictionary: (field) => sf.serializeDictionary(sf.parseDictionary(field)),
};

function canonical(line) {
    const [type, text] = line.split(" ");
    const field = Buffer.from(text, "base64").toString("latin1");
    try {
        return Buffer.from(types[type](field), "latin1").toString("base64");
    } catch {
        return "-";
    }
}

async function main() {
    const out = [];
    for await (const line of readline.createInterface(process.stdin)) {
        out.push(canonical(line));
    }
    process.stdout.write(out.join("\n") + "\n");
}

main();
