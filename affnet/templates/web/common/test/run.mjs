// Runs the golden test in a browser without a window, off the network; --serve only serves the demo.
// CHROME names the browser where it is not found.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const TYPES = {
  ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript",
  ".wasm": "application/wasm", ".json": "application/json", ".jpg": "image/jpeg",
};
const HEADERS = {
  // the page is isolated from other origins, without which it gets one thread only
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cache-Control": "no-store",
};
const BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"];

/** Serves the folders of this package on loopback; `more` maps further paths to folders. */
export async function serve(more = {}) {
  const folders = { "/dist/": join(root, "dist"), "/build/": join(root, "build"), ...more };
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    const prefix = Object.keys(folders).find((one) => path.startsWith(one));
    try {
      if (!prefix || normalize(path) !== path) throw new Error("not found");
      const content = await readFile(join(folders[prefix], path.slice(prefix.length)));
      response.writeHead(200, { ...HEADERS, "Content-Type": TYPES[extname(path)] ?? "application/octet-stream" });
      response.end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return { server, origin: `http://127.0.0.1:${server.address().port}` };
}

function findBrowser() {
  const places = BROWSERS.flatMap((name) => process.env.PATH.split(delimiter).map((folder) => join(folder, name)));
  const mac = ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"];
  const found = [process.env.CHROME, ...places, ...mac].find((path) => path && existsSync(path));
  if (!found) throw new Error("No Chromium or Chrome is installed; name one with CHROME=/path/to/it");
  return found;
}

/** Opens a page and returns what an expression in it is, and what the console said of errors. */
export async function evaluate(url, expression, timeout = 120_000) {
  const profile = await mkdtemp(join(tmpdir(), "golden-"));
  const browser = spawn(findBrowser(), [...FLAGS, "--remote-debugging-pipe", `--user-data-dir=${profile}`, "about:blank"], {
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
  });
  const ended = new Promise((_, reject) => browser.once("exit", (code) => reject(new Error(`The browser ended with ${code}`))));
  ended.catch(() => {});
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("The page did not answer")), timeout).unref());
  const errors = [];
  const note = (line) => /^(INFO|WARNING): /.test(line) || errors.push(line); // LiteRT's log of all levels is written as errors
  const waiting = new Map();
  let [text, last] = ["", 0];
  browser.stdio[4].on("data", (chunk) => {
    text += chunk;
    const messages = text.split("\0");
    text = messages.pop();
    for (const { id, method, params, result, error } of messages.map((one) => JSON.parse(one))) {
      if (id) waiting.get(id)?.(error ? Promise.reject(new Error(error.message)) : result);
      else if (method === "Runtime.exceptionThrown") note(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
      else if (method === "Runtime.consoleAPICalled" && params.type === "error") note(params.args.map((one) => one.value ?? one.description).join(" "));
      else if (method === "Log.entryAdded" && params.entry.level === "error") note(`${params.entry.text} ${params.entry.url ?? ""}`);
    }
  });
  const send = (method, params = {}, sessionId = undefined) =>
    Promise.race([ended, late, new Promise((resolve) => {
      waiting.set(++last, resolve);
      browser.stdio[3].write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
    })]);
  try {
    const { targetId } = await send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
    for (const domain of ["Runtime", "Log", "Page"]) await send(`${domain}.enable`, {}, sessionId);
    await send("Page.navigate", { url }, sessionId);
    const ready = `new Promise((done) => { const retry = () => { try { done(Promise.resolve(${expression})) } catch { setTimeout(retry, 20) } }; retry() })`;
    const { result, exceptionDetails } = await send("Runtime.evaluate", { expression: ready, awaitPromise: true, returnByValue: true }, sessionId);
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return { value: result.value, errors };
  } finally {
    browser.removeAllListeners("exit");
    browser.kill("SIGKILL");
    await new Promise((gone) => browser.once("close", gone));
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function main() {
  const { server, origin } = await serve();
  if (process.argv.includes("--serve")) {
    console.log(`The demo is at ${origin}/build/demo.html; stop it with Ctrl+C.`);
    return;
  }
  try {
    const { value, errors } = await evaluate(`${origin}/build/golden.html`, "(() => { if (!globalThis.verdict) throw 0; return globalThis.verdict })()");
    const found = [...value, ...errors.map((one) => `the console says: ${one}`)];
    console.log(found.length ? found.join("\n") : "golden test passed: pixels, outputs, answer");
    process.exitCode = found.length ? 1 : 0;
  } finally {
    server.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
