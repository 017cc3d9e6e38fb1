// The report page in a real browser: the question as a form, columns that a narrow window folds, and the way
// from a figure to its messages.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { axe, launch, open, overflow, screenshot } from "./support/browser.mjs";
import { Ledger } from "./support/ledger.mjs";

let browser;
let ledger;

before(async () => {
  browser = await launch();
  ledger = await Ledger.start();
  for (let number = 1; number <= 30; number += 1) {
    await ledger.receiveStatuses(number, ["queued", "sent", "delivered"], { To: "+4915112345678" });
  }
  for (let number = 31; number <= 35; number += 1) {
    await ledger.receiveStatuses(number, ["queued", "undelivered"], { To: "whatsapp:+14155552671", ErrorCode: "30007" });
  }
  await ledger.caughtUp();
});

after(async () => {
  await browser?.close();
  await ledger?.remove();
});

test("a question is asked with the form, without a script", async () => {
  const page = await open(browser, { javaScriptEnabled: false });
  await page.goto(ledger.url("/reports"));
  await page.getByLabel("Rows", { exact: true }).selectOption("channel");
  await page.getByLabel("Columns", { exact: true }).selectOption("country");
  await page.getByLabel("Compare with").selectOption("none");
  await page.getByRole("button", { name: "Show" }).click();
  assert.match(page.url(), /by=channel&by=country/);
  assert.equal(await page.locator("h1").innerText(), "Deliveries by channel and country: 85.7\u00a0%");
  await page.getByRole("link", { name: "failures" }).click();
  await page.getByRole("row", { name: /^whatsapp/ }).getByRole("link", { name: /^5/ }).first().click();
  assert.match(await page.locator("main").innerText(), /1 to 5 of 5/);
  await page.finish();
});

test("a narrow window folds the columns, and unfolds them within their panel", async () => {
  const page = await open(browser, { width: 360 });
  await page.goto(ledger.url("/reports"));
  assert.equal(await page.locator("th.w").first().isVisible(), false);
  assert.equal(await page.getByRole("img", { name: /Share failed by day/ }).first().isVisible(), true);
  await page.getByRole("link", { name: "Show all 7 days" }).click();
  assert.equal(await page.locator("th.w").first().isVisible(), true);
  assert.ok((await overflow(page)) <= 0, "the page does not scroll sideways");
  assert.deepEqual(await axe(page), []);
  await screenshot(page, "reports-360-unfolded");
  await page.finish();
});

test("a row is chosen for the chart, whose figures lead to their messages", async () => {
  const page = await open(browser);
  await page.goto(ledger.url("/reports?by=country,channel"));
  await page.getByRole("link", { name: "United States" }).click();
  assert.equal(await page.locator("#row h2").innerText(), "United States by channel");
  await page.getByText("The figures", { exact: true }).click();
  const figures = page.getByRole("region", { name: "United States by channel, figures" });
  await figures.getByRole("row", { name: /^whatsapp/ }).getByRole("link", { name: "5" }).first().click();
  assert.match(await page.locator("main").innerText(), /1 to 5 of 5/);
  await page.finish();
});
