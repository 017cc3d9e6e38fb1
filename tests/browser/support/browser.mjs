// Chromium, and what every page must satisfy in it.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.env.BROWSER_FOLDER, "package.json"));
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** The rules of WCAG 2.2, A and AA, and axe's best practice. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

export const WIDTHS = [360, 1280];
export const SCHEMES = ["light", "dark"];

export async function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
}

/**
 * Opens a page. Every page must keep these: no request to another host, no error on the console (which
 * includes reports of the Content-Security-Policy); `finish` checks them. A page that is `failing` on purpose
 * may have errors, and another one those that are `allowed`.
 */
export async function open(browser, { width = 1280, failing = false, allowed = /^$/, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, ...options });
  const page = await context.newPage();
  const faults = [];
  const hosts = new Set();
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  page.on("console", (message) => {
    const isFault = ["error", "warning"].includes(message.type()) && !allowed.test(message.text());
    if (isFault) faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  page.finish = async () => {
    await context.close();
    if (!failing) assert.deepEqual(faults, [], "nothing is wrong on the console");
    assert.ok(hosts.size <= 1, `every request goes to one host, not to ${[...hosts]}`);
  };
  return page;
}

/** Logs in, and waits for the page with this target. */
export async function logIn(page, ledger, token, target) {
  await page.goto(ledger.url(target));
  await page.getByLabel("API token").fill(token);
  await page.keyboard.press("Enter");
  await page.waitForURL(ledger.url(target));
}

/** What axe finds, as text; empty if nothing. */
export async function axe(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate((values) => window.axe.run({ runOnly: { type: "tag", values } }), RULES);
  return found.violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" | ")}`);
}

/** By how many pixels a page is wider than the window. */
export async function overflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
}

export async function screenshot(page, name) {
  const folder = path.join(process.env.BROWSER_FOLDER, "screenshots");
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
}
