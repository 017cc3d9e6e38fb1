// Continues the page Live: rows that the server renders are added at the top as events arrive.
//
// The stream begins after the last position of the page. A browser that has lost it resumes after the last
// position that it has received, so that no event is missed or shown again.
"use strict";

(() => {
  const live = document.getElementById("live");
  if (live === null) return;

  /** The interval at which new rows are announced to a screen reader, in milliseconds. */
  const SPEAK_MS = 10_000;
  /** The wait before a stream that was refused is requested again. */
  const RETRY_MS = 2_000;
  /** A page that nobody has seen for this long gives up its stream until somebody does. */
  const HIDDEN_MS = 60_000;

  const STATES = {
    connecting: ["open", "s-sending"],
    connected: ["ok", "s-delivered"],
    paused: ["none", "s-scheduled"],
    reconnecting: ["late", "h-warn"],
    behind: ["late", "h-warn"],
    ended: ["fail", "s-failed"],
  };

  const table = document.getElementById("live-rows");
  const form = document.getElementById("live-pause");
  const button = form.querySelector("button");
  const spoken = document.getElementById("live-spoken");
  const [state, waitingShown, past] = [live.querySelector(".st"), live.querySelector(".waiting"), live.querySelector(".past")];
  const word = state.querySelector("[role=status]");
  const rowsMax = Number(live.dataset.rowsMax);

  let position = Number(live.dataset.position);
  let source = null;
  let connection = "connecting";
  let detail = "";
  let isPausedByButton = false;
  /** Rows that have arrived during a pause, the newest one first; at most as many as the page keeps. */
  let waiting = [];
  let waitingCount = 0;
  let unspoken = 0;
  /** When the connection was lost, and the last position before that. */
  let lost = null;
  /** The same in words, once the connection is back. */
  let loss = "";
  let skipped = 0;
  let hiddenTimer;
  /** True if the stream was given up because nobody sees the page. */
  let isAsleep = false;

  const grouped = (number) => number.toLocaleString("en-US");

  function isPaused() {
    return isPausedByButton || table.contains(document.activeElement);
  }

  function connect() {
    const separator = live.dataset.stream.includes("?") ? "&" : "?";
    source = new EventSource(`${live.dataset.stream}${separator}after=${position}`);
    source.addEventListener("open", opened);
    source.addEventListener("rows", received);
    source.addEventListener("skipped", (event) => {
      skipped += Number(event.data);
      tellPast();
    });
    source.addEventListener("behind", (event) => show("behind", event.data));
    source.addEventListener("error", failed);
  }

  function opened() {
    if (lost !== null) {
      const seconds = Math.max(1, Math.round((Date.now() - lost.at) / 1000));
      const at = new Date(lost.at).toISOString().slice(11, 19);
      loss = `The connection was lost for ${grouped(seconds)} s at ${at} and resumed after position ${grouped(lost.after)}`;
      [lost, skipped] = [null, 0];
      tellPast();
    }
    show("connected");
  }

  function received(event) {
    const template = document.createElement("template");
    template.innerHTML = event.data;
    const rows = [...template.content.children];
    position = Number(event.lastEventId);
    waiting = [...rows, ...waiting].slice(0, rowsMax);
    waitingCount += rows.length;
    unspoken += rows.length;
    if (connection !== "connected") connection = "connected";
    addWaiting();
  }

  function addWaiting() {
    if (!isPaused() && waiting.length > 0) {
      document.getElementById("live-none")?.remove();
      table.querySelectorAll(".new").forEach((row) => row.classList.remove("new"));
      waiting.forEach((row) => row.classList.add("new"));
      table.prepend(...waiting);
      [waiting, waitingCount] = [[], 0];
      trim();
    }
    update();
  }

  /** Removes the oldest rows. Older continues from the last one that is left. */
  function trim() {
    if (table.children.length <= rowsMax) return;
    while (table.children.length > rowsMax) table.lastElementChild.remove();
    const target = new URL(live.dataset.stream, location.href);
    target.searchParams.set("paused", Number(table.lastElementChild.dataset.position) - 1);
    older().href = `/live${target.search}`;
  }

  /** The link to older events, which a short log has none of at first. */
  function older() {
    const link = document.getElementById("live-older") ?? document.createElement("a");
    if (!link.isConnected) {
      [link.id, link.className, link.rel, link.textContent] = ["live-older", "btn", "next", "Older"];
      document.querySelector(".pager").append(link);
    }
    return link;
  }

  /** A stream that only broke is requested again by the browser, one that was refused is not. */
  function failed() {
    lost ??= { at: Date.now(), after: position };
    if (connection !== "ended") show("reconnecting");
    if (source.readyState === EventSource.CLOSED) explain(source.url);
  }

  async function explain(url) {
    const answer = await fetch(url, { method: "HEAD", redirect: "manual", cache: "no-store" }).catch(() => null);
    if (answer?.type === "opaqueredirect" || answer?.status === 401) {
      const next = encodeURIComponent(location.pathname + location.search);
      end("your session has ended", `/login?next=${next}`, "Log in");
    } else if (answer?.status === 403) {
      end("your token does not allow this any more", location.href, "Reload");
    } else if (answer?.status === 409) {
      end("the ledger is another one now", "/live", "Reload");
    } else {
      setTimeout(connect, RETRY_MS);
    }
  }

  function end(reason, target, name) {
    show("ended", reason);
    const link = document.createElement("a");
    [link.href, link.textContent] = [target, name];
    past.replaceChildren(" ", link);
  }

  function show(name, more = "") {
    [connection, detail] = [name, more];
    update();
  }

  function update() {
    const isWaiting = connection === "connected" && isPaused();
    const name = isWaiting ? "paused" : connection;
    const [tone, glyph] = STATES[name];
    state.className = `st ${tone}`;
    state.querySelector("use").setAttribute("href", `#${glyph}`);
    const words = {
      behind: `waiting for the views, which are being rebuilt: ${detail}`,
      ended: `not connected: ${detail}`,
    };
    const text = words[name] ?? name;
    // The same text again would be announced again.
    if (word.textContent !== text) word.textContent = text;
    waitingShown.textContent = waitingCount > 0 ? `, ${grouped(waitingCount)} waiting` : "";
    button.textContent = isPausedByButton ? "Continue" : `Pause at ${grouped(position)}`;
    button.value = position;
  }

  function tellPast() {
    const sentences = [];
    if (loss !== "") sentences.push(`${loss}${skipped > 0 ? "." : ": nothing was missed."}`);
    if (skipped > 0) {
      sentences.push(`${grouped(skipped)} events are not shown, because more arrived than this page keeps; the log has all.`);
    }
    past.textContent = sentences.map((sentence) => ` ${sentence}`).join("");
  }

  function speak() {
    const text = isPaused() ? `${grouped(waitingCount)} waiting` : `${grouped(unspoken)} new events`;
    spoken.textContent = unspoken > 0 ? text : "";
    unspoken = 0;
  }

  function sleep() {
    if (connection === "ended") return;
    isAsleep = true;
    source.close();
    show("connecting");
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    isPausedByButton = !isPausedByButton;
    addWaiting();
  });
  table.addEventListener("focusin", update);
  // Focus may move on to another row.
  table.addEventListener("focusout", () => setTimeout(addWaiting));

  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiddenTimer);
    if (document.hidden) {
      hiddenTimer = setTimeout(sleep, HIDDEN_MS);
    } else if (isAsleep) {
      isAsleep = false;
      connect();
    }
  });
  window.addEventListener("pagehide", () => source.close());
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });

  live.previousElementSibling.hidden = true;
  live.hidden = false;
  setInterval(speak, SPEAK_MS);
  connect();
})();
