// Lists failed messages, checks that the log is unchanged, and follows it.
//
//     LEDGER_TOKEN=… node examples/ledger.mjs [POSITION:HASH]

import { setTimeout as sleep } from "node:timers/promises";

const LEDGER = process.env.LEDGER ?? "http://127.0.0.1:8081";

async function ask(path, body) {
  const headers = { "Content-Type": "application/json" };
  if (process.env.LEDGER_TOKEN) headers.Authorization = `Bearer ${process.env.LEDGER_TOKEN}`;
  const post = body && { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(LEDGER + path, { headers, ...post });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return response;
}

async function listFailed() {
  const { data } = await (await ask("/v1/messages?status=undelivered&limit=5")).json();
  for (const message of data) console.log(message.message_sid, message.to, message.error_code);
}

/** Has the server read the whole log; `line` was kept from an earlier verification. */
async function verify(line) {
  let job = await (await ask("/v1/jobs", { kind: "verify", expect: line })).json();
  while (job.state === "waiting" || job.state === "running") {
    await sleep(200);
    job = await (await ask(`/v1/jobs/${job.id}`)).json();
  }
  if (job.state === "failed" || job.result.findings.length > 0) {
    console.error("the log is not as expected:", job.error ?? JSON.stringify(job.result.findings));
    process.exit(1);
  }
  console.log(`unchanged: ${job.result.head}:${job.result.hash}`);
  return job.result.head;
}

/** Continues after the last position if the connection ends, so that no event is missed. */
async function follow(position) {
  for (; ; await sleep(1000)) {
    try {
      const stream = (await ask(`/v1/events/stream?after=${position}`)).body;
      let rest = "";
      for await (const text of stream.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + text).split("\n");
        rest = lines.pop();
        for (const line of lines.filter((line) => line.startsWith("data:"))) {
          const event = JSON.parse(line.slice(5));
          position = event.position;
          console.log(position, event.message_sid, event.status);
        }
      }
    } catch (error) {
      console.error(error.message);
    }
  }
}

await listFailed();
await follow(await verify(process.argv[2] ?? null));
