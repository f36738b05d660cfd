// What pages do beyond links and forms: live regions, menus, dialogs, times, copying, keys. Everything reads and works
// without it, only less smoothly.
(() => {
  "use strict";
  const root = document.documentElement;
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  root.classList.add("js");

  // Bookmarks of MLflow's own pages.
  const old = location.hash.match(/^#(?:mlflow)?\/models\/([^/]+)(?:\/versions\/(\d+))?/);
  if (old) location.replace(`/models/${old[1]}` + (old[2] ? `/versions/${old[2]}` : ""));

  // Times: the server writes UTC; people read their own clock.
  const units = [["hour", 3600], ["minute", 60], ["second", 1]];
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const short = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const near = new Intl.RelativeTimeFormat("en", { numeric: "always" });
  function tellTimes(within) {
    for (const time of all("time[datetime]", within)) {
      const moment = new Date(time.dateTime), seconds = (moment - Date.now()) / 1000, away = Math.abs(seconds);
      time.title = full.format(moment);
      if ("exact" in time.dataset) continue;
      if (away < 5) time.textContent = "just now";
      else if (away >= 86400) time.textContent = short.format(moment);
      else {
        const [unit, length] = units.find(([, length]) => away >= length);
        time.textContent = near.format(Math.trunc(seconds / length), unit);
      }
    }
  }

  // Live regions: one timer, only while the tab is seen. A region with an open menu or somebody's words in it waits.
  let paused = false, failures = 0, lastSaid = 0;
  const due = new WeakMap();
  const isBusy = (region) => one("[aria-expanded=true], dialog[open]", region) ||
    (region.contains(document.activeElement) && /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName));
  function beat() {
    if (document.hidden || paused) return;
    const now = performance.now();
    for (const region of all("[data-live]")) {
      const wait = failures ? Math.min(30000, 1000 * 2 ** failures) : 1000 * Number(region.dataset.live || 5);
      if (!due.has(region)) { due.set(region, now + wait); continue; }
      if (now < due.get(region) || isBusy(region)) continue;
      due.set(region, now + wait);
      htmx.trigger(region, "live");
    }
  }
  function tellLive() {
    for (const mark of all(".live")) {
      const state = paused ? "paused" : failures ? "reconnecting" : "live";
      if (mark.dataset.state !== state) {
        mark.dataset.state = state;
        mark.textContent = { paused: "Paused", reconnecting: "Reconnecting", live: "Live" }[state];
      }
    }
  }
  const failed = () => { failures = Math.min(failures + 1, 5); tellLive(); };
  setInterval(beat, 250);
  setInterval(() => tellTimes(document), 30000);
  document.addEventListener("visibilitychange", beat);

  // What a screen reader hears of this page's own work: politely, at most once in five seconds.
  let waiting = 0;
  function announce(text) {
    const line = one("#said"), early = lastSaid + 5000 - Date.now();
    clearTimeout(waiting);
    if (!text || line.textContent === text) return;
    // What comes too early is said later, unless something newer comes before.
    if (early > 0) { waiting = setTimeout(() => announce(text), early); return; }
    lastSaid = Date.now();
    line.textContent = text;
  }

  function toast(text, kind = "failed") {
    const box = document.createElement("div");
    box.className = `banner ${kind}`;
    box.setAttribute("role", "alert");
    box.textContent = text;
    one("#toast").replaceChildren(box);
    setTimeout(() => box.remove(), 12000);
  }

  // Dialogs: a link's page, fetched as a sheet. Native, so that Esc closes and the focus returns by itself.
  const dialog = one("#dialog");
  function closeDialog() { if (dialog.open) dialog.close(); }
  dialog.addEventListener("close", () => dialog.replaceChildren());
  function openDialog() {
    if (!dialog.open) dialog.showModal();
    const first = one("[autofocus]", dialog) || one("input:not([type=hidden]), textarea, select", dialog);
    if (first) first.focus();
  }

  document.addEventListener("htmx:afterSettle", (event) => {
    tellTimes(event.target);
    tellLive();
    if (dialog.contains(event.target) || event.target === dialog) { if (dialog.firstElementChild) openDialog(); }
    const said = event.target.dataset && event.target.dataset.say;
    if (said) announce(said);
    follow(event.target);
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const status = event.detail.xhr ? event.detail.xhr.status : 0;
    if (event.detail.elt.matches && event.detail.elt.matches("[data-live]")) {
      if (status && status < 500) { if (failures) { failures = 0; tellLive(); } } else failed();
    }
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const region = event.detail.target;
    // What was opened while the answer was on its way stays open.
    if (!region.matches || !region.matches("[data-live]")) return;
    if (isBusy(region)) event.detail.shouldSwap = false;
    else ticked = all("input.tick:checked", region).map((box) => box.id);
  });
  // What was ticked is ticked in the table that takes its place.
  let ticked = [];
  document.addEventListener("htmx:afterSwap", () => {
    for (const id of ticked) if (document.getElementById(id)) document.getElementById(id).checked = true;
    ticked = [];
  });
  function refused(event) {
    if (event.detail.elt.matches("[data-live]")) {
      // The object is gone, or the session is: say so once, ask no more.
      if (event.detail.xhr && event.detail.xhr.status >= 400 && event.detail.xhr.status < 500) {
        event.detail.elt.removeAttribute("data-live");
        if (event.detail.xhr.status === 401) toast("Your session has ended. Sign in again in another tab, then reload this page.");
        else location.reload();
      }
      return;
    }
    const xhr = event.detail.xhr;
    const fresh = xhr && xhr.getResponseHeader("X-Form-Token");
    if (fresh) useToken(fresh);
    const text = (xhr && xhr.status && xhr.getResponseHeader("X-Message")) || "";
    const said = text ? decodeURIComponent(text) : "The server does not answer. Nothing was changed; try again in a moment.";
    const place = dialog.open && one(".refusal", dialog);
    if (place) { place.textContent = said; place.hidden = false; place.focus(); } else toast(said);
  }
  document.addEventListener("htmx:responseError", refused);
  document.addEventListener("htmx:sendError", refused);
  function useToken(token) {
    one("meta[name=form-token]").content = token;
    for (const field of all("input[name=form_token]")) field.value = token;
  }
  document.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-Form-Token"] = one("meta[name=form-token]").content;
  });

  // A log follows its end while it is watched there.
  function follow(within) {
    const log = within.matches && within.matches("pre.log") ? within : within.querySelector && one("pre.log", within);
    const box = one("#follow");
    if (log && (!box || box.checked)) log.scrollTop = log.scrollHeight;
  }

  // Menus, after the ARIA authoring practices: arrows, Home, End, letters, Esc.
  const items = (menu) => all("[role=menuitem]", menu);
  function closeMenus(except) {
    for (const button of all(".menu > button[aria-expanded=true]")) {
      if (button === except) continue;
      button.setAttribute("aria-expanded", "false");
      button.nextElementSibling.classList.remove("open");
    }
  }
  function openMenu(button, last) {
    closeMenus(button);
    button.setAttribute("aria-expanded", "true");
    button.nextElementSibling.classList.add("open");
    const found = items(button.nextElementSibling);
    (last ? found[found.length - 1] : found[0])?.focus();
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".menu > button");
    if (button) {
      if (button.getAttribute("aria-expanded") === "true") closeMenus();
      else openMenu(button);
      return;
    }
    const item = event.target.closest("[role=menuitem]");
    if (item) {
      if (item.getAttribute("aria-disabled") === "true") { event.preventDefault(); event.stopPropagation(); return; }
      // The dialog gives the focus back to whoever had it: the button, not an item that is hidden by then.
      item.closest(".menu")?.querySelector("button").focus();
      closeMenus();
      return;
    }
    closeMenus();
    if (event.target.closest("[data-dismiss]") || event.target === dialog) {
      if (dialog.open) { event.preventDefault(); closeDialog(); }
      return;
    }
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      const text = copy.dataset.copy || one(copy.dataset.copyFrom).textContent;
      navigator.clipboard?.writeText(text).then(() => toast("Copied", "done"), () => toast("The browser did not let it be copied."));
    }
    const nav = event.target.closest(".toggle-nav");
    if (nav) nav.setAttribute("aria-expanded", String(one(".side").classList.toggle("open")));
    const pause = event.target.closest("[data-pause]");
    if (pause) {
      paused = !paused;
      pause.setAttribute("aria-pressed", String(paused));
      one("span", pause).textContent = paused ? "Resume updates" : "Pause updates";
      tellLive();
    }
    const theme = event.target.closest("[data-theme-switch]");
    if (theme) {
      event.preventDefault();
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      document.cookie = `modelyard_theme=${root.dataset.theme}; Path=/; Max-Age=31536000; SameSite=Lax`;
    }
    const every = event.target.closest("[data-check-all]");
    if (every) for (const box of all(`input[name="${every.dataset.checkAll}"]`)) box.checked = every.checked;
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-auto]");
    if (form) form.requestSubmit();
    const chooser = event.target.closest("[data-reveals]");
    if (chooser) reveal(chooser);
  });
  function reveal(chooser) {
    const shown = chooser.value === "";
    const field = document.getElementById(chooser.dataset.reveals);
    field.hidden = !shown;
    for (const input of all("input, textarea", field)) input.disabled = !shown;
  }

  let leader = 0;
  document.addEventListener("keydown", (event) => {
    const menu = event.target.closest(".menu");
    if (menu) {
      const button = one("button", menu), open = button.getAttribute("aria-expanded") === "true";
      const found = items(menu), place = found.indexOf(document.activeElement);
      const go = (to) => { found[(to + found.length) % found.length].focus(); event.preventDefault(); };
      if (!open) {
        if (event.target === button && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
          openMenu(button, event.key === "ArrowUp");
          event.preventDefault();
        }
      } else if (event.key === "Escape") { closeMenus(); button.focus(); event.preventDefault(); }
      else if (event.key === "ArrowDown") go(place + 1);
      else if (event.key === "ArrowUp") go(place < 0 ? found.length - 1 : place - 1);
      else if (event.key === "Home") go(0);
      else if (event.key === "End") go(found.length - 1);
      else if (event.key === "Tab") closeMenus();
      else if (event.key === " " && place >= 0) { found[place].click(); event.preventDefault(); }
      else if (event.key.length === 1) {
        const rest = [...found.slice(place + 1), ...found.slice(0, place + 1)];
        const next = rest.find((item) => item.textContent.trim().toLowerCase().startsWith(event.key.toLowerCase()));
        if (next) next.focus();
      }
      return;
    }
    // Single keys are off while somebody writes, and when they were switched off.
    if (event.ctrlKey || event.metaKey || event.altKey || dialog.open || root.dataset.keys === "off") return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    if (event.key === "/") { one(".find input")?.focus(); event.preventDefault(); return; }
    if (event.key === "?") { location.href = "/settings/keys"; return; }
    if (event.key === "g") { leader = Date.now(); return; }
    const place = Date.now() - leader < 1500 && { m: "/models", j: "/jobs", a: "/requests" }[event.key];
    if (place) location.href = place;
  });

  for (const chooser of all("[data-reveals]")) reveal(chooser);
  document.addEventListener("htmx:load", (event) => { for (const chooser of all("[data-reveals]", event.target)) reveal(chooser); });
  // A page that the browser kept is as old as when it was left.
  addEventListener("pageshow", (event) => { if (event.persisted) for (const region of all("[data-live]")) due.set(region, 0); });
  tellTimes(document);
  tellLive();
  follow(document);
})();
