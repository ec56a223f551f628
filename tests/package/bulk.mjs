// Runs a built package for the web on the pictures that stdin names; see tests/package/bulk.py.

import { readFileSync } from "node:fs";
import { relative } from "node:path";

const [, , packageFolder, folder] = process.argv;
const { evaluate, serve } = await import(`${packageFolder}/test/run.mjs`);
const files = readFileSync(0, "utf8").split("\n");
const { server, origin } = await serve({ "/pictures/": folder });
const names = JSON.stringify(files.map((file) => relative(folder, file)));
const { value, errors } = await evaluate(`${origin}/build/bulk.html`, `globalThis.look(${names})`, 800_000);
server.close();
for (const error of errors) console.error(error);
value.forEach((found, index) => console.log(JSON.stringify({ file: files[index], ...found })));
process.exitCode = errors.length ? 1 : 0;
