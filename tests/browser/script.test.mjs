// What a script adds to pages that are complete without it: keys, parts that refresh themselves, and steps that
// keep the place.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { axe, launch, logIn, open } from "./support/browser.mjs";
import { Ledger, TOKENS, sid } from "./support/ledger.mjs";

const MESSAGE = `/messages/${sid(1)}`;
const REFRESH_MS = 30_000;

let browser;
let ledger;

before(async () => {
  browser = await launch();
  ledger = await Ledger.start();
  await ledger.receiveStatuses(1, ["queued", "sent", "delivered", "sending"]);
  await ledger.receiveStatuses(2, ["queued"]);
  await ledger.caughtUp();
});

after(async () => {
  await browser?.close();
  await ledger?.remove();
});

function focused(page) {
  return page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim());
}

/** The position that the footer says the page is as of. */
async function asOf(page) {
  return /As of position ([\d,]+)/.exec(await page.locator(".foot").innerText())[1];
}

test("from the overview to the bytes of a message by keys alone", async () => {
  const page = await open(browser);
  await page.goto(ledger.url("/"));
  await page.keyboard.press("/");
  assert.equal(await focused(page), "find");
  await page.keyboard.type(sid(1));
  await page.keyboard.press("Enter");
  await page.waitForURL(ledger.url(MESSAGE));
  await page.keyboard.press("b");
  assert.match(await page.locator(".decides .raw").innerText(), /MessageStatus=delivered/);
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  assert.match(await page.locator("#p4 .raw").innerText(), /MessageStatus=sending/);
  await page.finish();
});

test("j and k move through the rows of a list, and Enter opens one", async () => {
  const page = await open(browser);
  await page.goto(ledger.url("/messages?since=2020-01-01"));
  const row = () => page.evaluate(() => document.activeElement.closest("tr")?.rowIndex);
  await page.keyboard.press("j");
  const first = await row();
  await page.keyboard.press("j");
  assert.equal(await row(), first + 1);
  await page.keyboard.press("j");
  assert.equal(await row(), first + 1, "it is the last one");
  await page.keyboard.press("k");
  assert.equal(await row(), first);
  await page.keyboard.press("Enter");
  await page.waitForURL(ledger.url(`/messages/${sid(2)}`));
  await page.finish();
});

test("keys are letters while somebody writes, and belong to the browser with a modifier", async () => {
  const page = await open(browser);
  await page.goto(ledger.url("/messages"));
  await page.locator("#ec").focus();
  await page.keyboard.type("/jkb?[]");
  assert.equal(await page.locator("#ec").inputValue(), "/jkb?[]");
  assert.equal(await page.locator("#keys").isVisible(), false);
  await page.locator("#ec").blur();
  for (const modified of ["Control+j", "Alt+j", "Meta+j"]) {
    await page.keyboard.press(modified);
    assert.equal(await page.evaluate(() => document.activeElement === document.body), true, modified);
  }
  await page.finish();
});

test("? lists the keys in a dialog, which Escape closes, and in which they can be turned off", async () => {
  const page = await open(browser);
  await page.goto(ledger.url("/messages"));
  await page.keyboard.press("?");
  const dialog = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await dialog.waitFor();
  assert.match(await dialog.innerText(), /bytes of the deciding event/);
  assert.equal(await focused(page), "Close");
  assert.deepEqual(await axe(page), []);
  await page.keyboard.press("Escape");
  assert.equal(await dialog.isVisible(), false);

  await page.locator(".menu summary").click();
  await page.getByRole("button", { name: "Keyboard shortcuts" }).click();
  await dialog.getByLabel("use these keys on this device").uncheck();
  await dialog.getByRole("button", { name: "Close" }).click();
  await page.reload();
  await page.keyboard.press("?");
  await page.keyboard.press("/");
  assert.equal(await dialog.isVisible(), false);
  assert.notEqual(await focused(page), "find");
  await page.finish();
});

test("[ and ] step through the moments of a message, and back and forward return to them", async () => {
  const page = await open(browser);
  await page.goto(ledger.url(MESSAGE));
  await page.evaluate(() => {
    window.isSamePage = true;
  });
  for (const [key, position, status] of [["[", 3, "Delivered"], ["[", 2, "Sent"], ["]", 3, "Delivered"]]) {
    await page.keyboard.press(key);
    await page.waitForURL(ledger.url(`${MESSAGE}?as_of_position=${position}`));
    await page.locator("h1", { hasText: status }).waitFor();
    assert.equal(await asOf(page), String(position));
  }
  assert.equal(await page.evaluate(() => window.isSamePage), true, "only its content was replaced");
  assert.match(await page.title(), /^Delivered, SM/);

  await page.goBack();
  await page.locator("h1", { hasText: "Sent" }).waitFor();
  assert.equal(page.url(), ledger.url(`${MESSAGE}?as_of_position=2`));
  await page.goForward();
  await page.locator("h1", { hasText: "Delivered" }).waitFor();
  await page.finish();
});

test("a step that fails shows the reason on a page, and a polled part that fails changes nothing", async () => {
  const page = await open(browser, { failing: true });
  await page.goto(ledger.url(MESSAGE));
  const answered = page.waitForEvent("response");
  await page.evaluate(() => {
    window.htmx.ajax("GET", "/v1/none", "#foot");
  });
  await answered;
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(page.url(), ledger.url(MESSAGE));

  await page.evaluate(() => {
    document.addEventListener("htmx:configRequest", (event) => {
      event.detail.path = event.detail.path.replace(/position=\d+/, "position=999");
    });
  });
  await page.locator("#step-2").click();
  await page.getByText("is beyond the head").waitFor();
  await page.finish();
});

test("a step that is chosen by its link keeps the focus and the place", async () => {
  const page = await open(browser, { viewport: { width: 1280, height: 400 } });
  await page.goto(ledger.url(MESSAGE));
  const step = page.locator("#step-2");
  await step.focus();
  await page.evaluate(() => window.scrollTo(0, 250));
  await page.keyboard.press("Enter");
  await page.locator("h1", { hasText: "Sent" }).waitFor();
  assert.equal(await focused(page), "step-2");
  assert.equal(await page.evaluate(() => window.scrollY), 250);
  await page.finish();
});

test("the overview refreshes itself, but not while it is used", async () => {
  const page = await open(browser);
  await page.clock.install();
  await page.goto(ledger.url("/"));
  const before = Number(await asOf(page));
  await ledger.receiveStatuses(3, ["queued"]);
  await ledger.caughtUp();
  await page.evaluate(() => window.scrollTo(0, 120));
  await page.locator("details.figures summary").first().focus();
  await page.keyboard.press("Enter");
  await page.clock.runFor(2 * REFRESH_MS);
  assert.equal(Number(await asOf(page)), before, "a row of it has the focus");

  await page.evaluate(() => document.activeElement.blur());
  const scrolled = await page.evaluate(() => window.scrollY);
  await page.clock.runFor(REFRESH_MS);
  await page.getByText(`As of position ${before + 1}`).waitFor();
  assert.equal(await page.evaluate(() => window.scrollY), scrolled);
  assert.equal(await page.locator("details.figures").first().getAttribute("open"), "", "what is open stays open");
  await page.finish();
});

test("a page that nobody sees is not refreshed until somebody does", async () => {
  const page = await open(browser);
  await page.clock.install();
  await page.goto(ledger.url("/"));
  let requests = 0;
  page.on("request", (request) => {
    if (request.resourceType() === "fetch") requests += 1;
  });
  const show = (hidden) => page.evaluate((value) => {
    Object.defineProperty(document, "hidden", { value, configurable: true });
  }, hidden);
  await show(true);
  await page.clock.runFor(4 * REFRESH_MS);
  assert.equal(requests, 0);
  await show(false);
  await page.clock.runFor(2_000);
  assert.equal(requests, 1);
  await page.finish();
});

test("pages that show no present state, or a period of one's own, are not refreshed", async () => {
  const page = await open(browser);
  await page.clock.install();
  for (const target of [MESSAGE, "/messages", "/?since=2020-01-01&until=2020-02-01", "/live?paused=1"]) {
    await page.goto(ledger.url(target));
    let requests = 0;
    const count = (request) => {
      if (request.resourceType() === "fetch") requests += 1;
    };
    page.on("request", count);
    await page.clock.runFor(4 * REFRESH_MS);
    page.off("request", count);
    assert.equal(requests, 0, target);
  }
  await page.finish();
});

test("a page whose session has ended says so instead of refreshing", async (t) => {
  const guarded = await Ledger.start({ hasTokens: true });
  t.after(() => guarded.remove());
  await guarded.receiveStatuses(1, ["sent"]);
  await guarded.caughtUp();
  const page = await open(browser);
  await page.clock.install();
  await logIn(page, guarded, TOKENS.support, "/?range=7d");
  await page.context().clearCookies();
  await page.clock.runFor(2 * REFRESH_MS);
  const note = page.getByText("Your session has ended, so this page is not refreshed any more.");
  await note.waitFor();
  assert.equal(await note.getByRole("link").getAttribute("href"), "/login?next=%2F%3Frange%3D7d");
  await page.finish();
});
