// Live in a real browser: rows appear as events arrive, and nothing is missed or repeated.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, logIn, open, overflow, testAccessible } from "./support/browser.mjs";
import { Ledger, TOKENS, sid } from "./support/ledger.mjs";

/** What the console says about a server that is away. */
const AWAY = /net::ERR_|Failed to load resource/;

let browser;
let ledger;

before(async () => {
  browser = await launch();
  ledger = await Ledger.start();
  await ledger.receiveStatuses(1, ["queued", "delivered"]);
  await ledger.caughtUp();
});

after(async () => {
  await browser?.close();
  await ledger?.remove();
});

/** Opens the page, and waits until it follows. */
async function follow(page, target = "/live", from = ledger) {
  await page.goto(from.url(target));
  await page.getByText("connected", { exact: true }).waitFor();
}

/** The positions of the rows, from the top. */
function positions(page) {
  return page.locator("#live-rows tr").evaluateAll((rows) => rows.map((row) => Number(row.dataset.position)));
}

async function waitForPosition(page, position) {
  await page.locator(`#live-rows tr[data-position="${position}"]`).waitFor({ state: "attached" });
}

async function head(from = ledger) {
  return (await (await fetch(from.url("/readyz"))).json()).head;
}

/** The numbers from one down to another. */
function down(from, to) {
  return Array.from({ length: from - to + 1 }, (_, place) => from - place);
}

test("a late callback appears at the top, and is late on the page of its message", async () => {
  const page = await open(browser);
  await follow(page);
  await ledger.receiveStatuses(1, ["sent"]);
  const position = await head();
  await waitForPosition(page, position);
  const first = page.locator("#live-rows tr").first();
  assert.match(await first.innerText(), /sent\s+late\s+\+15558675310/);
  assert.equal(await first.getAttribute("data-position"), String(position));
  await first.locator("td").last().locator("a").click();
  await page.waitForURL(new RegExp(`${sid(1)}.open=${position}#p${position}`));
  const event = page.locator(`#p${position}`);
  assert.match(await event.locator("summary").innerText(), /sent\s+late/);
  assert.ok(await event.locator(".raw").isVisible(), "its bytes are open");
  await page.finish();
});

test("a row that is added looks as the server shows it", async () => {
  const page = await open(browser);
  await follow(page);
  await ledger.receiveStatuses(2, ["delivered", "sent", "failed"], { ErrorCode: "30007" });
  await waitForPosition(page, await head());
  const html = () => page.locator("#live-rows tr").evaluateAll((rows) => rows.slice(0, 3).map((row) => {
    row.classList.remove("new");
    if (row.className === "") row.removeAttribute("class");
    return row.outerHTML;
  }));
  const added = await html();
  await follow(page);
  assert.deepEqual(added, await html());
  await page.finish();
});

test("after a restart of the server the page resumes, and nothing is missed or repeated", async () => {
  const page = await open(browser, { allowed: AWAY });
  await follow(page);
  const before = await head();
  await ledger.receiveStatuses(3, ["queued", "sent"]);
  await waitForPosition(page, before + 2);
  await ledger.stop();
  await page.getByText("reconnecting").waitFor();
  await ledger.start();
  await ledger.receiveStatuses(4, ["queued", "sent", "delivered"]);
  await page.getByText("connected", { exact: true }).waitFor();
  await ledger.receiveStatuses(3, ["delivered"]);
  await waitForPosition(page, before + 6);
  assert.deepEqual(await positions(page), down(before + 6, 1));
  const told = `resumed after position ${before + 2}: nothing was missed.`;
  assert.match(await page.locator("#live").innerText(), new RegExp(`The connection was lost for .* s at .* and ${told}`));
  await page.finish();
});

test("a page that receives nothing before the restart resumes where it began", async () => {
  const page = await open(browser, { allowed: AWAY });
  await follow(page);
  const before = await head();
  await ledger.restart();
  await ledger.receiveStatuses(5, ["queued", "sent"]);
  await waitForPosition(page, before + 2);
  assert.deepEqual(await positions(page), down(before + 2, Math.max(1, before - 49)));
  await page.finish();
});

test("paused by the button, rows wait and are counted; then they are added", async () => {
  const page = await open(browser);
  await follow(page);
  const before = await head();
  await page.getByRole("button", { name: `Pause at ${before}` }).click();
  await page.getByText("paused", { exact: true }).waitFor();
  await ledger.receiveStatuses(6, ["queued", "sent"]);
  await page.getByText(", 2 waiting").waitFor();
  assert.equal((await positions(page))[0], before);
  await page.getByRole("button", { name: "Continue" }).click();
  await waitForPosition(page, before + 2);
  assert.deepEqual((await positions(page)).slice(0, 3), [before + 2, before + 1, before]);
  assert.equal(await page.locator("#live .waiting").innerText(), "");
  await page.finish();
});

test("while a row has the focus nothing moves", async () => {
  const page = await open(browser);
  await follow(page);
  const before = await head();
  await page.keyboard.press("j");
  const focused = () => page.evaluate(() => document.activeElement.closest("tr")?.dataset.position);
  assert.equal(await focused(), String(before));
  await ledger.receiveStatuses(7, ["queued"]);
  await page.getByText(", 1 waiting").waitFor();
  assert.equal((await positions(page))[0], before);
  await page.keyboard.press("j");
  assert.equal(await focused(), String(before - 1));
  await page.getByText("paused", { exact: true }).waitFor();
  await page.locator("#lt").focus();
  await waitForPosition(page, before + 1);
  await page.finish();
});

test("a page that nobody sees gives up its stream after a minute, and misses nothing", async () => {
  const page = await open(browser);
  await page.clock.install();
  await follow(page);
  const before = await head();
  const show = (hidden) => page.evaluate((value) => {
    Object.defineProperty(document, "hidden", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  const streams = [];
  page.on("request", (request) => streams.push(request.url()));
  await show(true);
  await page.clock.runFor(61_000);
  await ledger.receiveStatuses(10, ["queued", "sent"]);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assert.equal((await positions(page))[0], before);
  await show(false);
  await waitForPosition(page, before + 2);
  assert.deepEqual((await positions(page)).slice(0, 3), [before + 2, before + 1, before]);
  assert.deepEqual(streams.filter((url) => url.includes("/live/stream")), [ledger.url(`/live/stream?after=${before}`)]);
  await page.finish();
});

test("the page keeps 500 rows, and Older continues after them", async (t) => {
  const many = await Ledger.start();
  t.after(() => many.remove());
  await many.receiveStatuses(1, ["queued"]);
  const page = await open(browser);
  await follow(page, "/live", many);
  for (let number = 2; number <= 520; number += 10) {
    const batch = Array.from({ length: Math.min(10, 521 - number) }, (_, place) => number + place);
    await Promise.all(batch.map((message) => many.receiveStatuses(message, ["queued"])));
  }
  await waitForPosition(page, 520);
  assert.deepEqual(await positions(page), down(520, 21));
  await page.getByRole("link", { name: "Older" }).click();
  await page.locator("h1", { hasText: "Paused at 20" }).waitFor();
  assert.deepEqual(await positions(page), down(20, 1));
  await page.finish();
});

test("a filter holds for rows that are added", async () => {
  const page = await open(browser);
  await follow(page, "/live?status=failure");
  const before = await positions(page);
  await ledger.receiveStatuses(8, ["queued", "sent", "undelivered"], { ErrorCode: "30005" });
  const position = await head();
  await waitForPosition(page, position);
  assert.deepEqual(await positions(page), [position, ...before]);
  await page.finish();
});

test("hostile text of any parameter stays text", async () => {
  const hostile = "<script>window.ran=1</script>\u001b[31m\u202e<img src=x onerror=window.ran=2>";
  const page = await open(browser);
  await follow(page);
  for (const name of ["MessageStatus", "To", "From", "ErrorCode", "MessageSid"]) {
    await ledger.receive({ MessageSid: sid(9), MessageStatus: "sent", [name]: hostile });
  }
  await waitForPosition(page, await head());
  for (const when of ["added", "loaded"]) {
    assert.equal(await page.evaluate(() => window.ran), undefined, when);
    assert.equal(await page.locator("#live-rows img, #live-rows script").count(), 0, when);
    const text = await page.locator("#live-rows").innerText();
    assert.match(text, /<script>window\.ran=1<\/script>/);
    assert.ok(!/[\u001b\u202e]/.test(text), when);
    assert.ok((await overflow(page)) <= 0, "the page does not scroll sideways");
    await page.goto(ledger.url("/live"));
  }
  await page.finish();
});

test("without a script the page is complete, and Older and Pause are links and forms", async () => {
  const page = await open(browser, { javaScriptEnabled: false });
  await page.goto(ledger.url("/live"));
  assert.match(await page.locator(".lede").first().innerText(), /^The last events, newest first. Reload/);
  assert.equal(await page.locator("#live").isVisible(), false);
  const position = await head();
  await page.getByRole("button", { name: "Pause at" }).click();
  await page.waitForURL(/paused=/);
  assert.equal(await page.locator("h1").innerText(), `Paused at ${position}`);
  await page.finish();
});

test("with masked addresses no response of Live contains a number, and a session that ends is told", async (t) => {
  const guarded = await Ledger.start({ hasTokens: true });
  t.after(() => guarded.remove());
  await guarded.receiveStatuses(1, ["sent"]);
  await guarded.caughtUp();
  // A stream that is refused is an error on the console.
  const page = await open(browser, { allowed: /EventSource|net::ERR_|Failed to load resource/ });
  const bodies = [];
  page.on("response", async (response) => {
    if (!response.url().includes("/stream")) bodies.push(await response.text().catch(() => ""));
  });
  await logIn(page, guarded, TOKENS.masked, "/live");
  await page.getByText("connected", { exact: true }).waitFor();
  await guarded.receiveStatuses(1, ["delivered"]);
  await waitForPosition(page, 2);
  assert.match(await page.locator("#live-rows").innerText(), /∗∗∗∗5310/);
  bodies.push(await page.content());
  for (const digits of ["5867531", "555867", "501712"]) {
    assert.ok(!bodies.some((body) => body.includes(digits)), digits);
  }

  // Sessions end with the server.
  await guarded.restart();
  await page.getByText("not connected: your session has ended").waitFor();
  await page.locator("#live").getByRole("link", { name: "Log in" }).click();
  await page.waitForURL(/\/login\?next=%2Flive/);
  await page.finish();
});

testAccessible("live that follows", () => browser, { reducedMotion: "reduce" }, follow);
