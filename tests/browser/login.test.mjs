// Logging in to the pages in a real browser, and what a token with masked addresses sees.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, open, testAccessible } from "./support/browser.mjs";
import { Ledger, TOKENS, sid } from "./support/ledger.mjs";

let browser;
let ledger;

before(async () => {
  browser = await launch();
  ledger = await Ledger.start({ hasTokens: true });
  await ledger.receiveStatuses(1, ["sent", "delivered"]);
  await ledger.caughtUp();
});

after(async () => {
  await browser?.close();
  await ledger?.remove();
});

async function logIn(page, token, target = "/messages") {
  await page.goto(ledger.url(target));
  await page.getByLabel("API token").fill(token);
  // The next step would otherwise interrupt the way from the login to the page.
  const answered = page.waitForEvent("framenavigated");
  await page.keyboard.press("Enter");
  await answered;
  await page.waitForLoadState();
}

testAccessible("login", () => browser, { failing: true }, async (page) => {
  await logIn(page, "not-a-token-0123456789");
  await page.getByRole("alert").waitFor();
});

test("the login leads to the page, without a script, and the menu logs out", async () => {
  const page = await open(browser, { javaScriptEnabled: false });
  await logIn(page, TOKENS.support, `/messages/${sid(1)}`);
  await page.waitForURL(ledger.url(`/messages/${sid(1)}`));
  assert.match(await page.locator("h1").innerText(), /Delivered/);
  await page.locator("summary", { hasText: "support" }).click();
  await page.getByRole("button", { name: "Log out" }).click();
  await page.waitForURL(ledger.url("/login"));
  await page.goto(ledger.url("/messages"));
  assert.match(page.url(), /login\?next=/);
  await page.finish();
});

test("a link on another site leads to the page of somebody who is logged in", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await logIn(page, TOKENS.support);
  await page.waitForURL(ledger.url("/messages"));
  const elsewhere = ledger.url("/login").replace("127.0.0.1", "localhost");
  await page.goto(elsewhere);
  await page.evaluate((target) => {
    const link = document.createElement("a");
    link.href = target;
    link.textContent = "a link in a ticket";
    document.querySelector("main").prepend(link);
  }, ledger.url(`/messages/${sid(1)}`));
  await page.getByText("a link in a ticket").click();
  await page.waitForURL(ledger.url(`/messages/${sid(1)}`));
  await page.locator("h1", { hasText: "Delivered" }).waitFor();
  await context.close();
});

test("with masked addresses no response contains a number", async () => {
  const page = await open(browser);
  const bodies = [];
  page.on("response", async (response) => bodies.push(await response.text().catch(() => "")));
  await logIn(page, TOKENS.masked);
  for (const target of ["/messages", `/messages/${sid(1)}?open=1`, "/"]) {
    await page.goto(ledger.url(target));
  }
  // Not opened as a page: for a document without an icon, the browser may ask for /favicon.ico.
  await page.evaluate((url) => fetch(url).then((response) => response.text()), `/v1/messages/${sid(1)}`);
  assert.ok(bodies.length > 4);
  for (const digits of ["5867531", "555867", "501712"]) {
    assert.ok(!bodies.some((body) => body.includes(digits)), digits);
  }
  await page.finish();
});
