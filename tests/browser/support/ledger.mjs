// A server process with its own ledger, and signed callbacks to it.

import { execFileSync, spawn } from "node:child_process";
import { createHash, createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";

export const ACCOUNT = "AC0123456789abcdef0123456789abcdef";
const AUTH_TOKEN = "0123456789abcdef0123456789abcdef";
const PUBLIC_URL = "https://ledger.example";
const CALLBACK_PATH = "/message-status";
const PATIENCE_MS = 20_000;

/** The tokens of a ledger with access control, by name. */
export const TOKENS = {
  support: "support-0123456789abcdef",
  masked: "masked-0123456789abcdef",
  operator: "operator-0123456789abcdef",
};

/** The SID of the message with this number. */
export function sid(number) {
  return `SM${number.toString(16).padStart(32, "0")}`;
}

export class Ledger {
  #process;
  #environment;
  #admin = "127.0.0.1:0";

  /** Starts a server; `hasTokens` if it asks for one of `TOKENS`. */
  static async start({ hasTokens = false } = {}) {
    const ledger = new Ledger();
    ledger.folder = mkdtempSync(path.join(tmpdir(), "delivery-ledger-browser-"));
    ledger.#environment = {
      ...process.env,
      TWILIO_ACCOUNT_SID: ACCOUNT,
      TWILIO_AUTH_TOKEN: AUTH_TOKEN,
      // A minute after the start it would change what pages say, between one request of a test and the next.
      DELIVERY_LEDGER_VERIFY_EVERY: "off",
    };
    if (hasTokens) {
      writeFileSync(path.join(ledger.folder, "delivery-ledger.toml"), tokenSettings(ledger.folder));
    }
    await ledger.start();
    return ledger;
  }

  /** Starts the server, after `stop` again at the same address for users. */
  async start() {
    const listeners = ["--listen", "127.0.0.1:0", "--admin-listen", this.#admin];
    this.#process = spawn(
      process.env.DELIVERY_LEDGER_PROGRAM,
      ["serve", ...listeners, "--public-url", PUBLIC_URL],
      { cwd: this.folder, env: this.#environment, stdio: ["ignore", "ignore", "pipe"] },
    );
    const said = [];
    for await (const line of createInterface({ input: this.#process.stderr })) {
      said.push(line);
      this.callbacks = /receiving callbacks on (http:\/\/[^\s"]+)/.exec(line)?.[1] ?? this.callbacks;
      const admin = /answering questions on http:\/\/([^\s"]+)/.exec(line)?.[1];
      if (admin) {
        this.#admin = admin;
        break;
      }
    }
    if (this.#process.exitCode !== null) {
      throw new Error(`the server did not start:\n${said.join("\n")}`);
    }
    // The rest is discarded; a full pipe would block the server.
    this.#process.stderr.resume();
  }

  /** The address of a page or of another resource for users. */
  url(target) {
    return `http://${this.#admin}${target}`;
  }

  /** Stops the server and starts it again at the same address for users. */
  async restart() {
    await this.stop();
    await this.start();
  }

  async stop() {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGTERM");
    await ended;
  }

  async remove() {
    await this.stop();
    rmSync(this.folder, { recursive: true });
  }

  /** Receives a callback with these parameters, signed as Twilio signs it. */
  async receive(parameters, query = "") {
    const target = CALLBACK_PATH + query;
    const all = { AccountSid: ACCOUNT, From: "+15017122661", To: "+15558675310", ...parameters };
    const names = Object.keys(all).sort();
    const text = PUBLIC_URL + target + names.map((name) => name + all[name]).join("");
    const origin = this.callbacks.replace(/\/message-status.*$/, "");
    const response = await fetch(origin + target, {
      method: "POST",
      headers: { "X-Twilio-Signature": createHmac("sha1", AUTH_TOKEN).update(text).digest("base64") },
      body: new URLSearchParams(all),
    });
    if (response.status !== 200) throw new Error(`the callback was answered ${response.status}`);
  }

  /** Receives a callback with this JSON, signed as Twilio signs it. */
  async receiveJson(content) {
    const body = JSON.stringify(content);
    const target = `${CALLBACK_PATH}?bodySHA256=${createHash("sha256").update(body).digest("hex")}`;
    const signature = createHmac("sha1", AUTH_TOKEN).update(PUBLIC_URL + target).digest("base64");
    const origin = this.callbacks.replace(/\/message-status.*$/, "");
    const response = await fetch(origin + target, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Twilio-Signature": signature },
      body,
    });
    if (response.status !== 200) throw new Error(`the callback was answered ${response.status}`);
  }

  /** Receives these statuses of one message, in this order. */
  async receiveStatuses(number, statuses, { query = "", ...parameters } = {}) {
    for (const MessageStatus of statuses) {
      await this.receive({ MessageSid: sid(number), MessageStatus, ...parameters }, query);
    }
  }

  /** Waits until the lists have every event. */
  async caughtUp() {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const state = await (await fetch(this.url("/readyz"))).json();
      if (state.checkpoint === state.head) return;
      if (Date.now() > deadline) throw new Error(`not caught up: ${JSON.stringify(state)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** What a command prints, as JSON. */
  json(...command) {
    const output = execFileSync(process.env.DELIVERY_LEDGER_PROGRAM, command, {
      cwd: this.folder, env: this.#environment,
    });
    return JSON.parse(output);
  }
}

function tokenSettings(folder) {
  const scopes = { support: "read", masked: "read:masked", operator: "read operate" };
  const tables = Object.entries(scopes).map(([name, scope]) => {
    writeFileSync(path.join(folder, name), TOKENS[name], { mode: 0o600 });
    return `[api_tokens.${name}]\ntoken_file = "${name}"\nscope = "${scope}"\n`;
  });
  return tables.join("\n");
}
