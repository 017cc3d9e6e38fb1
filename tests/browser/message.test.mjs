// The page of one message in a real browser: accessible in every state, usable by keyboard, and whole on paper.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, open, testAccessible } from "./support/browser.mjs";
import { ACCOUNT, Ledger, sid } from "./support/ledger.mjs";

const IN_CONFLICT = ["queued", "undelivered", "sent", "delivered", "delivered", "new-in-2027"];

const STATES = {
  "in conflict": `/messages/${sid(1)}`,
  "row open": `/messages/${sid(1)}?open=2`,
  "as of": `/messages/${sid(1)}?as_of_position=2`,
  happened: `/messages/${sid(1)}?order=happened`,
  whatsapp: `/messages/${sid(2)}`,
  clicked: `/messages/${sid(3)}`,
  "click open": `/messages/${sid(3)}?open=12`,
  "only clicked": `/messages/${sid(4)}`,
};

let browser;
let ledger;

before(async () => {
  browser = await launch();
  ledger = await Ledger.start();
  await ledger.receiveStatuses(1, IN_CONFLICT, { query: "?campaign=spring&order=17" });
  await ledger.receiveStatuses(2, ["read", "sent"], { To: "whatsapp:+4915112345678", From: "whatsapp:+14155550100" });
  await receiveTheStoryOfAClick();
  await ledger.caughtUp();
});

after(async () => {
  await browser?.close();
  await ledger?.remove();
});

/** Message 3 is delivered, previewed and clicked on; of message 4 only a click is known. */
async function receiveTheStoryOfAClick() {
  const type = (status) => `com.twilio.messaging.message.${status}`;
  const data = { accountSid: ACCOUNT, messageSid: sid(3), from: "+15017122661", to: "+15558675310" };
  for (const [status, time] of [["sent", "2026-11-25T14:31:05.120Z"], ["delivered", "2026-11-25T14:31:07.300Z"]]) {
    const further = { messageStatus: status.toUpperCase(), timestamp: time, numberOfSegments: "2", mcc: "310", mnc: "260" };
    await ledger.receiveJson({ specversion: "1.0", type: type(status), id: status, time, data: { ...data, ...further } });
  }
  const link = "https://shop.example/spring?campaign=spring-sale-2026&order=17&utm_source=sms";
  const phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile/15E148 Safari/604.1";
  for (const [number, user_agent, click_time] of [
    [3, "WhatsApp/2.24.10.85 A", "2026-11-25T14:31:08Z"],
    [3, phone, "2026-11-25T14:35:41Z"],
    [4, phone, "2026-11-25T14:36:00Z"],
  ]) {
    await ledger.receiveJson({ event_type: "click", sms_sid: sid(number), account_sid: ACCOUNT, link, click_time, user_agent });
  }
}

for (const [name, target] of Object.entries(STATES)) {
  testAccessible(`message, ${name}`, () => browser, {}, async (page) => {
    assert.equal((await page.goto(ledger.url(target))).status(), 200);
  });
}

test("from the list to the bytes by keyboard alone", async () => {
  const page = await open(browser, { javaScriptEnabled: false });
  await page.goto(ledger.url("/messages"));
  const press = async (selector, presses = 200) => {
    for (let count = 0; count < presses; count += 1) {
      await page.keyboard.press("Tab");
      const found = await page.locator(`${selector}:focus`).count();
      if (found > 0) return page.keyboard.press("Enter");
    }
    return assert.fail(`${selector} is not reached`);
  };
  await press(`a[href="/messages/${sid(1)}"]`);
  await page.waitForURL(/messages\/SM/);
  await press("#p2 summary");
  assert.match(await page.locator("#p2 .raw").innerText(), /MessageStatus=undelivered/);
  await page.finish();
});

test("on paper every row is open and there are no forms", async () => {
  const page = await open(browser);
  await page.goto(ledger.url(STATES["in conflict"]));
  await page.emulateMedia({ media: "print" });
  for (const position of [1, 2, 3, 4, 5, 6]) {
    assert.ok(await page.locator(`#p${position} .raw`).isVisible(), `the bytes of position ${position}`);
  }
  assert.equal(await page.locator(".top").isVisible(), false);
  await page.finish();
});
