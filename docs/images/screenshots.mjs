// The screenshots of the README: the overview, and one message whose callbacks arrived in the wrong order.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { launch, open } from "../../tests/browser/support/browser.mjs";

const SEED = "7";
/** The demo's clock when it starts, so that the pictures are the same whenever they are made. */
const TIME = "@2026-11-25 14:56:20";
const FOLDER = path.dirname(new URL(import.meta.url).pathname);
const WIDTH = 1200;

const IMAGES = {
  overview: { target: () => "/", height: 992 },
  message: { target: (demo) => `/messages/${demo.featured.message_sid}`, height: 860 },
};

/** Starts a demo; returns what it says of itself, and a function that stops it and removes its files. */
async function startDemo() {
  const folder = mkdtempSync(path.join(tmpdir(), "delivery-ledger-images-"));
  const clock = { FAKETIME: TIME, FAKETIME_DONT_FAKE_MONOTONIC: "1", DONT_FAKE_MONOTONIC: "1", TZ: "UTC" };
  const child = spawn(process.env.DELIVERY_LEDGER_PROGRAM, ["--quiet", "demo", "--seed", SEED, "--format", "json"], {
    env: { PATH: process.env.PATH, TMPDIR: folder, LD_PRELOAD: process.env.LIBFAKETIME, ...clock },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  for await (const piece of child.stdout) {
    text += piece;
    if (text.endsWith("}\n")) break;
  }
  const stop = async () => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true });
  };
  return { ...JSON.parse(text), stop };
}

test("the README's screenshots", async () => {
  const browser = await launch();
  const demo = await startDemo();
  try {
    for (const [name, { target, height }] of Object.entries(IMAGES)) {
      const page = await open(browser, { width: WIDTH, colorScheme: "light" });
      await page.setViewportSize({ width: WIDTH, height });
      await page.goto(demo.questions + target(demo));
      await page.screenshot({ path: path.join(FOLDER, `${name}.png`) });
      await page.finish();
    }
  } finally {
    await demo.stop();
    await browser.close();
  }
});
