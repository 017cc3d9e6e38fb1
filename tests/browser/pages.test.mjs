// What every page keeps in a real browser: accessible, within the window, without requests to other hosts,
// and complete without a script.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, open, testAccessible } from "./support/browser.mjs";
import { Ledger, sid } from "./support/ledger.mjs";

const PAGES = {
  overview: "/",
  messages: "/messages",
  errors: "/errors",
  reports: "/reports",
  "report by channel": "/reports?by=channel&show=failures",
  live: "/live",
  health: "/health",
  ledger: "/ledger",
  exports: "/exports",
  "no messages": "/messages?status=failed&error_code=30034",
  "not found": `/messages/${sid(99)}`,
  "bad request": "/?range=2h",
};
/** A script continues these; their own tests say what they show without one. */
const CONTINUED = ["live"];
const STATUS = { "not found": 404, "bad request": 400 };

let browser;
let ledger;

before(async () => {
  browser = await launch();
  ledger = await Ledger.start();
  for (let number = 1; number <= 20; number += 1) {
    await ledger.receiveStatuses(number, ["queued", "sent", "delivered"], { query: `?order=${number}` });
  }
  for (let number = 21; number <= 50; number += 1) {
    await ledger.receiveStatuses(number, ["queued", "undelivered"], { ErrorCode: "30007" });
  }
  await ledger.receiveStatuses(51, ["delivered", "sent", "sent", "failed"], { To: "whatsapp:+4915112345678" });
  await ledger.caughtUp();
});

after(async () => {
  await browser?.close();
  await ledger?.remove();
});

for (const [name, target] of Object.entries(PAGES)) {
  testAccessible(name, () => browser, { failing: name in STATUS }, async (page) => {
    const response = await page.goto(ledger.url(target));
    assert.equal(response.status(), STATUS[name] ?? 200);
  });

  if (CONTINUED.includes(name)) continue;
  test(`${name} shows the same without a script`, async () => {
    const text = async (javaScriptEnabled) => {
      const page = await open(browser, { javaScriptEnabled, failing: name in STATUS });
      await page.goto(ledger.url(target));
      // Times of day, lengths of time and request ids differ from one request to the next.
      const words = (await page.locator("main").innerText()).replaceAll(/[\d.]+\s(ms|s|min)\b|\d\d:\d\d(:\d\d)?|[0-9a-f-]{36}/g, "…");
      await page.finish();
      return words;
    };
    assert.equal(await text(false), await text(true));
  });
}

test("the policy forbids what the pages do not need, and is in force", async () => {
  const page = await open(browser, { failing: true });
  const response = await page.goto(ledger.url("/messages"));
  const policy = response.headers()["content-security-policy"];
  assert.match(policy, /default-src 'none'.*base-uri 'none'; frame-ancestors 'none'/);
  const ran = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.head.append(script);
    return window.ran === true;
  });
  assert.equal(ran, false, "an inline script does not run");
  await page.finish();
});

test("hostile text stays text", async () => {
  const hostile = "<script>window.ran=1</script>\u001b[31m\u202e<img src=x onerror=window.ran=2>";
  await ledger.receive({ MessageSid: sid(60), MessageStatus: hostile, From: hostile, To: "+15550001111" });
  await ledger.caughtUp();
  const page = await open(browser);
  for (const target of ["/messages", `/messages?from=${encodeURIComponent("ACME")}`, "/"]) {
    await page.goto(ledger.url(target));
    assert.equal(await page.evaluate(() => window.ran), undefined);
  }
  await page.goto(ledger.url("/messages?to=%2B15550001111"));
  assert.equal(await page.locator("main img").count(), 0);
  await page.finish();
});

test("the search box leads to the messages with a code by keyboard alone", async () => {
  const page = await open(browser);
  await page.goto(ledger.url("/"));
  await page.locator("#find").focus();
  await page.keyboard.type("30007");
  await page.keyboard.press("Enter");
  await page.waitForURL(/messages/);
  assert.match(await page.locator("main").innerText(), /1 to 30 of 30/);
  await page.finish();
});
