// Chromium, and what every page must satisfy in it.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";

const require = createRequire(path.join(process.env.BROWSER_FOLDER, "package.json"));
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** The rules of WCAG 2.2, A and AA, and axe's best practice. */
const RULES = { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] };
/** Those of them that depend on colours. */
const COLOUR_RULES = { type: "rule", values: ["color-contrast", "link-in-text-block"] };

const WIDTHS = [360, 1280];

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

/**
 * Tests that a page is accessible, and fits into the window: on a phone and on a desk, in light and in dark. `arrive`
 * leads a new page there.
 */
export function testAccessible(name, launched, options, arrive) {
  for (const width of WIDTHS) {
    test(`${name} at ${width} pixels: accessible in light and dark, and within the window`, async () => {
      const page = await open(launched(), { width, colorScheme: "light", ...options });
      await arrive(page);
      const picture = (scheme) => screenshot(page, `${name.replace(/\W+/g, "-")}-${width}-${scheme}`);
      await picture("light");
      assert.deepEqual(await axe(page), []);
      assert.ok((await overflow(page)) <= 0, "the page does not scroll sideways");
      await page.emulateMedia({ colorScheme: "dark" });
      await picture("dark");
      assert.deepEqual(await violations(page, COLOUR_RULES), []);
      await page.finish();
    });
  }
}

/** What axe finds, as text; empty if nothing. */
export async function axe(page) {
  await page.evaluate(AXE);
  return violations(page, RULES);
}

async function violations(page, runOnly) {
  const found = await page.evaluate((runOnly) => window.axe.run({ runOnly }), runOnly);
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
