// Improves pages that are complete without a script: keys, parts that refresh themselves, and what to do if a
// part cannot be replaced.
"use strict";

(() => {
  /** The interval at which the parts with `data-refresh`, and the footer, are replaced, in milliseconds. */
  const REFRESH_MS = 30_000;

  // Keys

  const dialog = document.getElementById("keys");
  const FIELDS = "input, textarea, select, [contenteditable]";

  const isVisible = (element) => element.getClientRects().length > 0;

  /** The rows of the page that have something to focus, in their order. */
  function rows() {
    const all = [...document.querySelectorAll("main .tl summary, main tbody tr")];
    const target = (row) => (row.matches("summary") ? row : [...row.querySelectorAll("a[href]")].find(isVisible));
    return all.map((row) => [row, target(row)]).filter(([, link]) => link !== undefined && isVisible(link));
  }

  function toRow(step) {
    const all = rows();
    const at = all.findIndex(([row]) => row.contains(document.activeElement));
    const next = at < 0 ? (step > 0 ? 0 : -1) : at + step;
    all[next]?.[1].focus();
  }

  function toStep(step) {
    const current = document.querySelector(".steps [aria-current]")?.closest("li");
    const next = step > 0 ? current?.nextElementSibling : current?.previousElementSibling;
    next?.querySelector("a").click();
  }

  function openDeciding() {
    const row = document.querySelector(".tl .decides details");
    if (row === null) return;
    row.open = true;
    row.querySelector("summary").focus();
  }

  function find() {
    const field = document.getElementById("find");
    field?.focus();
    field?.select();
  }

  function list() {
    dialog?.showModal();
    dialog?.querySelector("button").focus();
  }

  const KEYS = {
    "/": find,
    j: () => toRow(1),
    k: () => toRow(-1),
    "[": () => toStep(-1),
    "]": () => toStep(1),
    b: openDeciding,
    "?": list,
  };

  // Storage may be forbidden.
  function areKeysOn() {
    try {
      return localStorage.getItem("keys") !== "off";
    } catch {
      return true;
    }
  }

  function setKeys(isOn) {
    try {
      localStorage.setItem("keys", isOn ? "on" : "off");
    } catch {
      // They are on again on the next page.
    }
  }

  document.addEventListener("keydown", (event) => {
    // With AltGr, some keyboards write the brackets.
    const isModified = (event.ctrlKey || event.altKey || event.metaKey) && !event.getModifierState("AltGraph");
    if (event.defaultPrevented || event.isComposing || event.repeat && event.key === "?" || isModified) return;
    if (event.target.closest?.(FIELDS) || dialog?.open || !Object.hasOwn(KEYS, event.key) || !areKeysOn()) return;
    event.preventDefault();
    KEYS[event.key]();
  });

  if (dialog !== null) {
    const isOn = dialog.querySelector("input");
    isOn.checked = areKeysOn();
    isOn.addEventListener("change", () => setKeys(isOn.checked));
    dialog.querySelector("button").addEventListener("click", () => dialog.close());
    const offer = document.getElementById("keys-offer");
    offer.hidden = false;
    offer.querySelector("button").addEventListener("click", list);
  }

  // Parts that refresh themselves

  let refreshedAt = Date.now();
  let hasEnded = false;

  /** True if somebody is using a part: it would lose the focus, or the selected text. */
  function isInUse(part) {
    const selection = document.getSelection();
    return part.contains(document.activeElement) || (!selection.isCollapsed && part.contains(selection.anchorNode));
  }

  /** Replaces the content of a part, but keeps open what is open, and scrolled what is scrolled. */
  function replace(part, by) {
    const isOpen = [...part.querySelectorAll("details")].map((details) => details.open);
    const scrolled = [...part.querySelectorAll(".scroll")].map(({ scrollLeft }) => scrollLeft);
    part.replaceChildren(...by.childNodes);
    [...part.querySelectorAll("details")].forEach((details, place) => (details.open = isOpen[place] ?? details.open));
    [...part.querySelectorAll(".scroll")].forEach((box, place) => (box.scrollLeft = scrolled[place] ?? 0));
    window.htmx?.process(part);
  }

  function sessionHasEnded() {
    // Live says so itself.
    if (document.getElementById("live") !== null) return;
    const note = document.createElement("p");
    [note.className, note.role] = ["note late", "status"];
    const link = document.createElement("a");
    link.href = `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
    link.textContent = "Log in";
    note.append("Your session has ended, so this page is not refreshed any more. ", link);
    document.getElementById("main").prepend(note);
  }

  async function refresh() {
    const parts = [...document.querySelectorAll("[data-refresh]"), document.getElementById("foot")];
    if (hasEnded || document.hidden || Date.now() - refreshedAt < REFRESH_MS || parts.some(isInUse)) return;
    refreshedAt = Date.now();
    const options = { headers: { Accept: "text/html" }, redirect: "manual", cache: "no-store" };
    // A server that is away will be back.
    const answer = await fetch(location.href, options).catch(() => null);
    if (answer?.type === "opaqueredirect" && !hasEnded) {
      hasEnded = true;
      sessionHasEnded();
    }
    if (!answer?.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (parts.some(isInUse)) return;
    for (const part of parts) {
      const by = page.getElementById(part.id);
      if (by !== null) replace(part, by);
    }
    document.title = page.title;
  }

  if (document.querySelector("[data-refresh]") !== null) {
    // More often than that, so that a page that was hidden or in use is refreshed soon after.
    setInterval(refresh, REFRESH_MS / 30);
  }

  // Content that is replaced because of a link

  // The new content is inserted before the old one is removed, which a browser takes as a reason to scroll.
  let scrolled = 0;
  document.addEventListener("htmx:beforeSwap", () => (scrolled = window.scrollY));
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.boosted) window.scrollTo(0, scrolled);
  });

  // If it cannot be replaced, the whole page shows why. A part that is polled is only requested again.
  const load = (event) => {
    if (event.detail.boosted) location.assign(event.detail.pathInfo.requestPath);
  };
  document.addEventListener("htmx:responseError", load);
  document.addEventListener("htmx:sendError", load);
})();
