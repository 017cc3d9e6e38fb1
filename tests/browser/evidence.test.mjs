// Seals, evidence and erasures in a real browser: what is sealed and what is not, the file that others can check,
// and what remains of an erased message.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { launch, open, testAccessible } from "./support/browser.mjs";
import { Ledger, sid } from "./support/ledger.mjs";

const SEALED = `/messages/${sid(1)}`;
const ERASED = `/messages/${sid(2)}`;
const NOT_YET_SEALED = `/messages/${sid(3)}`;

const STATES = {
  "message sealed": SEALED,
  "message not yet sealed": NOT_YET_SEALED,
  "message erased": ERASED,
  "ledger with seals": "/ledger",
};
const STATUS = { "message erased": 410 };

let browser;
let ledger;
/** The ledger's key, with its id. */
let key;
/** The seal of the first five events. */
let seal;

/** Positions 1 to 3 are of message 1, 4 and 5 of message 2, whose erasure is 6, and 7 of message 3. */
before(async () => {
  browser = await launch();
  ledger = await Ledger.start();
  await ledger.receiveStatuses(1, ["queued", "sent", "delivered"]);
  await ledger.caughtUp();
  key = await setUpSeals(ledger);
  sealNow(ledger);
  await ledger.receiveStatuses(2, ["sent", "delivered"], { To: "+4915112345678" });
  await ledger.caughtUp();
  seal = sealNow(ledger);
  ledger.json("erase", "--request", "DSR-17", "--yes", "--message", sid(2), "--format", "json");
  await ledger.receiveStatuses(3, ["queued"]);
  await ledger.caughtUp();
});

after(async () => {
  await browser?.close();
  await ledger?.remove();
});

/** Makes a key, which the server has from then on. */
async function setUpSeals(of) {
  const made = of.json("seal", "key", "new", "seal-key", "--format", "json");
  writeFileSync(path.join(of.folder, "delivery-ledger.toml"), '[seal]\nkey_file = "seal-key"\n');
  // The first seal is not due at once, only a while after the start.
  await of.restart();
  return made;
}

function sealNow(of) {
  return of.json("seal", "--quiet", "--format", "json");
}

/** Downloads the evidence from the page of a message, and returns its path. */
async function downloadEvidence(page, from = ledger) {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Download the evidence" }).click(),
  ]);
  const file = path.join(from.folder, download.suggestedFilename());
  await download.saveAs(file);
  return file;
}

function check(file, publicKey, from = ledger) {
  return from.json("evidence", "check", file, "--key", publicKey, "--format", "json");
}

function section(page, name) {
  return page.getByRole("region", { name, exact: true });
}

for (const [name, target] of Object.entries(STATES)) {
  testAccessible(name, () => browser, { failing: name in STATUS }, async (page) => {
    assert.equal((await page.goto(ledger.url(target))).status(), STATUS[name] ?? 200);
    for (const summary of await page.getByText("What it does not prove").all()) await summary.click();
  });
}

test("a sealed message says which seal covers it, by whom, and since when", async () => {
  const page = await open(browser);
  await page.goto(ledger.url(SEALED));
  const evidence = section(page, "Evidence");
  assert.match(await evidence.innerText(), /Sealed up to position 5, by this ledger\n/);
  const confirmed = evidence.getByRole("row", { name: /^this ledger/ });
  assert.equal(await confirmed.count(), 1);
  assert.equal(await confirmed.locator("time").getAttribute("datetime"), seal.sealed_at);
  await evidence.getByRole("link", { name: "5" }).click();
  await page.waitForURL(ledger.url("/ledger#se"));
  await page.finish();
});

test("the ledger page has the last seal, and leads to all of them and to the key that signed them", async () => {
  const page = await open(browser);
  await page.goto(ledger.url("/ledger"));
  const seals = section(page, "Seals");
  const text = await seals.innerText();
  assert.match(text, /Sealed up to position 5, by this ledger\n/);
  assert.ok(text.includes(seal.root), "the root that is sealed");
  assert.equal(await seals.locator("time").getAttribute("datetime"), seal.sealed_at);

  const linked = async (name) => {
    const target = await seals.getByRole("link", { name, exact: true }).getAttribute("href");
    return (await fetch(ledger.url(target))).text();
  };
  const { data } = JSON.parse(await linked("all seals"));
  assert.deepEqual(data.map(({ size }) => size), [5, 3]);
  const [, name, signature] = /^— (\S+) (\S+)$/m.exec(await linked("The seal"));
  assert.equal(name, key.name);
  // A signature begins with the id of its key.
  assert.equal(Buffer.from(signature, "base64").subarray(0, 4).toString("hex"), key.id);
  await page.finish();
});

test("the evidence is downloaded without a script, and is proven with the ledger's key and no other", async () => {
  const page = await open(browser, { javaScriptEnabled: false });
  await page.goto(ledger.url(SEALED));
  const file = await downloadEvidence(page);
  assert.equal(path.basename(file), `${sid(1)}.evidence.json`);
  const { proven, size, events, sealed_by } = check(file, key.key);
  assert.deepEqual({ proven, size, events, sealed_by }, { proven: true, size: 5, events: 3, sealed_by: [key.key] });

  const other = ledger.json("seal", "key", "new", "other-key", "--format", "json");
  assert.throws(() => check(file, other.key), ({ status, stdout }) => status === 3 && !JSON.parse(stdout).proven);
  await page.finish();
});

test("a message whose last event is after the last seal is not sealed yet", async () => {
  const page = await open(browser);
  await page.goto(ledger.url(NOT_YET_SEALED));
  const evidence = section(page, "Evidence");
  assert.match(await evidence.innerText(), /Not sealed yet; the file seals it\n/);
  assert.equal(await evidence.locator("time").count(), 0, "nobody has confirmed it");
  await page.finish();
});

test("the evidence of a message that is not sealed yet seals it", async () => {
  const own = await Ledger.start();
  try {
    const { key: publicKey } = await setUpSeals(own);
    await own.receiveStatuses(1, ["queued", "sent"]);
    await own.caughtUp();
    const page = await open(browser);
    await page.goto(own.url(SEALED));
    assert.match(await section(page, "Evidence").innerText(), /Not sealed yet/);
    const file = await downloadEvidence(page, own);
    assert.equal(check(file, publicKey, own).proven, true);
    await page.reload();
    assert.match(await section(page, "Evidence").innerText(), /Sealed up to position 2, by this ledger\n/);
    await page.finish();
  } finally {
    await own.remove();
  }
});

test("the ledger page says how many events are erased", async () => {
  const page = await open(browser);
  await page.goto(ledger.url("/ledger"));
  assert.match(await section(page, "Erasures").innerText(), /Erased\s+2 events\s+Their times and proofs remain/);
  await page.finish();
});

test("the page of an erased message says that it was erased, and by which event", async () => {
  const page = await open(browser, { failing: true });
  assert.equal((await page.goto(ledger.url(ERASED))).status(), 410);
  const text = await page.locator("main").innerText();
  assert.match(text, /This message was erased at \S+Z, as the event at position 6 records\./);
  assert.doesNotMatch(await page.content(), /15112345678/);
  await page.finish();
});
