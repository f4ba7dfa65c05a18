// Drives pages of a real browser for the tests: one JSON object a line on the standard input tells
// what to do, one a line on the standard output tells what happened. The pages are page.html, served
// by this program on a free port, and the browser is told to speak to nobody but this machine.
//
// node browser.js FOLDER_OF_PACKAGES BROWSER FOLDER_OF_THE_PROFILE

const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const { createServer } = require("node:http");
const { join } = require("node:path");
const readline = require("node:readline");

const [, , packages, executablePath, profile] = process.argv;

// The packages are installed outside of the checkout.
const load = createRequire(packages + "/");
const { chromium } = load("playwright-core");
const socketIo = join(load.resolve("socket.io-client/package.json"), "../dist/socket.io.js");

const tell = (what) => process.stdout.write(JSON.stringify(what) + "\n");

const files = {
  "/": [join(__dirname, "page.html"), "text/html"],
  "/page.js": [join(__dirname, "page.js"), "text/javascript"],
  "/socket.io.js": [socketIo, "text/javascript"],
};

const server = createServer((request, response) => {
  const [path, type] = files[request.url] ?? [];
  if (path === undefined) {
    response.writeHead(404).end();
  } else {
    response.writeHead(200, { "content-type": `${type}; charset=utf-8` }).end(readFileSync(path));
  }
});

const options = {
  executablePath,
  // Root has no sandbox.
  chromiumSandbox: false,
  args: [
    "--disable-gpu",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
    // A page that is not in front plays its video all the same.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    // It calls nobody by itself, and finds nobody whom it is not told of here.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
  ],
};

const pages = new Map();

async function main() {
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const context = await chromium.launchPersistentContext(profile, options);
  const home = `http://localhost:${server.address().port}/`;
  const commands = {
    async open({ page: name }) {
      const page = await context.newPage();
      pages.set(name, page);
      page.on("pageerror", (error) => tell({ page: name, what: "failed", error: String(error) }));
      await page.exposeFunction("tell", (what) => tell({ page: name, ...what }));
      await page.goto(home);
    },
    run({ page, call, args }) {
      const run = ([call, args]) => window[call](...args);
      return pages.get(page).evaluate(run, [call, args]);
    },
  };
  const obey = async ({ do: what, id, ...command }) => {
    try {
      tell({ what: "done", id, value: (await commands[what](command)) ?? null });
    } catch (error) {
      tell({ what: "failed", id, error: String(error) });
    }
  };
  readline
    .createInterface({ input: process.stdin })
    .on("line", (line) => obey(JSON.parse(line)))
    .on("close", async () => {
      await context.close();
      process.exit(0);
    });
  tell({ what: "ready", version: context.browser()?.version() ?? null });
}

main().catch((error) => {
  tell({ what: "failed", error: String(error) });
  process.exit(1);
});
