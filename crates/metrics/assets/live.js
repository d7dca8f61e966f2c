// Keeps an open page up to date. The page is complete without it: the server draws every part, and this script puts new parts
// in the place of old ones. Only the rows and cells of a pool's workers are drawn here as well, because of ten thousand of
// them only those in the window are. What is shown is in the address, so that it can be pasted.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const body = document.body, root = document.documentElement;
  root.classList.add("js");
  const screen = body.dataset.screen, pool = body.dataset.pool || "", isPool = screen === "pool";
  const number = (text) => (text === undefined ? null : Number(text));

  // ---- Text and numbers, as src/html/format.rs has them ----
  const UNKNOWN = "–";
  const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  const esc = (text) => String(text).replace(/[&<>"']/g, (c) => ESCAPES[c]);
  const MISLEADING = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
  const plain = (text) => String(text).replace(MISLEADING, (c) =>
    ({ "\n": "\\n", "\r": "\\r", "\t": "\\t" })[c] || "\\u{" + c.charCodeAt(0).toString(16) + "}");
  const shown = (text) => {
    const all = [...plain(text)];
    return esc(all.length > 160 ? all.slice(0, 159).join("") + "…" : all.join(""));
  };
  const percent = (v) => (v == null ? UNKNOWN : Math.round(v * 100) + "%");
  const finePercent = (v) => (v == null ? UNKNOWN : v === 0 ? "0%" : (Math.round(v * 1000) / 10).toFixed(1) + "%");
  const rate = (v) => (v == null ? UNKNOWN : v === 0 ? "0" : v < 9.95 ? (Math.round(v * 10) / 10).toFixed(1)
    : v < 9999.5 ? String(Math.round(v)) : Math.round(v / 1000) + "k");
  const count = (v) => (v == null ? UNKNOWN : String(v));
  const span = (v) => {
    if (v == null) return UNKNOWN;
    const s = Math.floor(Math.max(v, 0)), m = Math.floor(s / 60), h = Math.floor(s / 3600), d = Math.floor(s / 86400);
    return d ? `${d}d ${h % 24}h` : h ? `${h}h ${m % 60}m` : m ? `${m}m ${s % 60}s` : `${s}s`;
  };
  const PLAIN = { "%2F": "/", "%3A": ":", "%40": "@", "%2C": "," };
  const query = (pairs) => pairs.map(([name, text]) =>
    name + "=" + encodeURIComponent(text).replace(/%(2F|3A|40|2C)/g, (c) => PLAIN[c])).join("&");
  const workerHref = (id) => "./?" + query([["pool", pool], ["worker", id]]);
  const shortId = (row) => (row.hex ? "0x" + row.hex : shown(row.id));

  // ---- What is shown, and how: in the address ----
  const state = { sort: "severity", filter: "", key: null, top: 100 };
  function readAddress() {
    const query = new URLSearchParams(location.search);
    state.sort = query.get("sort") || "severity";
    state.filter = query.get("filter") || "";
    state.key = query.get("key");
    state.top = query.get("top") === "all" ? Infinity : Number(query.get("top") || 100);
  }
  function address(changed) {
    const next = { ...state, ...changed }, pairs = [];
    if (pool) pairs.push(["pool", pool]);
    if (next.sort !== "severity") pairs.push(["sort", next.sort]);
    if (next.filter) pairs.push(["filter", next.filter]);
    if (next.key) pairs.push(["key", next.key]);
    if (next.top !== 100) pairs.push(["top", next.top === Infinity ? "all" : next.top]);
    const text = query(pairs);
    return location.pathname + (text ? "?" + text : "");
  }
  function go(changed, replace) {
    history[replace ? "replaceState" : "pushState"](null, "", address(changed));
    readAddress();
    changedView();
  }

  // ---- How old everything is ----
  let roundAge = number(body.dataset.roundAge), limit = number(body.dataset.roundLimit);
  let connected = body.dataset.connected !== "false", heardAt = performance.now(), lostAt = null, gone = false, paused = null;
  function tick() {
    const age = roundAge == null ? null : roundAge + (performance.now() - heardAt) / 1000;
    const text = age == null ? "none yet" : age < 60 ? Math.round(age) + " s ago" : span(age) + " ago";
    if ($("age") && $("age").textContent !== text) $("age").textContent = text;
    if (limit == null) return;
    const isLost = lostAt != null && performance.now() - lostAt > 2500;
    const isOld = !connected || age == null || age > limit || isLost || gone;
    root.dataset.live = String(!isOld);
    const banner = $("banner");
    let words = "";
    if (isOld) {
      if (gone) words = "It is not there any more. ";
      else if (isLost) words = "The connection to the collector is lost. ";
      else if (!connected) words = "The connection to NATS is lost. ";
      words += age == null ? "There are no figures yet." : "These figures are " + span(age) + " old.";
    } else if (paused) {
      words = "Paused at " + paused.at + ": figures and order stay as they are.";
    }
    banner.classList.toggle("paused", !isOld && paused != null);
    banner.querySelector(".command").hidden = !isOld || gone;
    if ($("banner-text").textContent !== words) $("banner-text").textContent = words;
    banner.hidden = !words;
  }
  setInterval(tick, 1000);

  // ---- Parts ----
  const pending = new Map();
  function swap(id, html) {
    const part = $("part-" + id);
    if (!part) return;
    const selection = getSelection();
    if (selection && !selection.isCollapsed && part.contains(selection.anchorNode)) return;
    const active = part.contains(document.activeElement) ? document.activeElement : null;
    const href = active && (active.getAttribute("href") || active.dataset.copy);
    const open = [...part.querySelectorAll("details")].map((d) => d.open);
    part.innerHTML = html;
    part.querySelectorAll("details").forEach((d, i) => { d.open = Boolean(open[i]); });
    if (href) {
      const again = [...part.querySelectorAll("a, button")].find((e) => (e.getAttribute("href") || e.dataset.copy) === href);
      if (again) again.focus({ preventScroll: true });
    }
  }

  // ---- Workers ----
  const rows = new Map();
  let targets = { kv: 0.8, queue: 5 }, taken = 0, sorted = [], largest = 0;
  // As Packed in src/html/live.rs.
  const figureOf = (pair) => pair && { value: pair[0], level: pair[1] };
  const unpack = ([[id, hex, host, level, state], figures, [running, capacity],
    [saturation, requests_per_second, error_ratio, hit_ratio, started_seconds], [last_seen_seconds, restarts]]) => {
    const [kv, waiting, slots] = figures.map(figureOf);
    return { id, hex, host, level, state, kv, waiting, slots, running, capacity, saturation, requests_per_second, error_ratio,
      hit_ratio, started_seconds, last_seen_seconds, restarts };
  };
  const value = (figure) => (figure ? figure.value : null);
  const KEYS = {
    kv: [(r) => value(r.kv), (r) => r.kv && r.kv.level, percent],
    waiting: [(r) => value(r.waiting), (r) => r.waiting && r.waiting.level, rate],
    slots: [(r) => value(r.slots), (r) => r.slots && r.slots.level, percent],
    requests: [(r) => r.requests_per_second, () => null, rate],
    errors: [(r) => r.error_ratio, () => null, finePercent],
    hits: [(r) => r.hit_ratio, () => null, percent],
    age: [(r) => r.last_seen_seconds, () => null, span],
  };
  // As Sort::compare in src/view/order.rs: what has no figure is last, and equal ones are in the order of their ids.
  const down = (a, b) => (a == null || b == null ? (a == null) - (b == null) : b - a);
  const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const byId = (a, b) => !a.hex - !b.hex || a.hex.length - b.hex.length || byText(a.hex, b.hex) || byText(a.id, b.id);
  const minus = (v) => (v == null ? null : -v);
  const ORDERS = {
    severity: (a, b) => (b.level === "stale") - (a.level === "stale") || down(a.saturation, b.saturation),
    id: () => 0,
    host: (a, b) => (a.host == null || b.host == null ? (a.host == null) - (b.host == null) : byText(a.host, b.host)),
    kv: (a, b) => down(value(a.kv), value(b.kv)),
    slots: (a, b) => down(value(a.slots), value(b.slots)),
    waiting: (a, b) => down(value(a.waiting), value(b.waiting)),
    requests: (a, b) => down(a.requests_per_second, b.requests_per_second),
    errors: (a, b) => down(a.error_ratio, b.error_ratio),
    hits: (a, b) => down(minus(a.hit_ratio), minus(b.hit_ratio)),
    seen: (a, b) => down(a.last_seen_seconds, b.last_seen_seconds),
    uptime: (a, b) => down(a.started_seconds, b.started_seconds),
    restarts: (a, b) => b.restarts - a.restarts,
  };
  function matcher() {
    const words = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
    return (row) => words.every((word) => {
      const hex = word.startsWith("0x") ? word.slice(2) : word;
      return row.id.toLowerCase().includes(word) || (hex && row.hex.includes(hex))
        || (row.host || "").toLowerCase().includes(word) || row.state === word || row.level === word;
    });
  }
  function arrange() {
    const order = ORDERS[state.sort] || ORDERS.severity, matches = matcher();
    sorted = [...rows.values()].filter(matches).sort((a, b) => order(a, b) || byId(a, b));
  }

  const SIGNS = { bad: ["▲", "at the target or above"], warn: ["△", "80 % of the target or more"] };
  const MEANINGS = { none: "no target", ok: "below 80 % of the target", new: "started less than 60 s ago",
    warn: "80 % of the target or more", bad: "at the target or above", stale: "silent" };
  function leveled(text, level) {
    const sign = SIGNS[level];
    return `<span class="fig lv-${level}">${text}${sign ? `<span class="sign" title="${sign[1]}" aria-label="${sign[1]}">${sign[0]}</span>` : ""}</span>`;
  }
  const dim = (text) => `<span class="dim">${text}</span>`;
  const figure = (f, format) => (f ? leveled(format(f.value), f.level) : dim(UNKNOWN));
  const clamp = (v) => Math.round(Math.min(Math.max(v, 0), 1) * 100);
  function bar(f) {
    return `<svg class="bar lv-${f.level}" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">`
      + `<rect class="track" width="100" height="10"/><rect class="fill" width="${clamp(f.value)}" height="10"/>`
      + `<rect class="goal" x="${Math.max(clamp(targets.kv) - 1, 0)}" width="2" height="10"/></svg>`;
  }
  // As worker_row in src/html/pool.rs.
  function rowHtml(row) {
    const slots = row.running != null && row.capacity != null ? row.running + dim("/" + row.capacity) : count(row.running);
    const uptime = row.started_seconds == null ? null : taken - row.started_seconds;
    return `<td class="mark"><span class="dot" role="img" aria-label="${row.level}" title="${MEANINGS[row.level]}"></span></td>`
      + `<th scope="row" class="id"><a href="${esc(workerHref(row.id))}">${shortId(row)}</a></th>`
      + `<td class="low">${row.host == null ? UNKNOWN : shown(row.host)}</td>`
      + `<td class="num">${row.kv ? bar(row.kv) : ""} ${figure(row.kv, percent)}</td><td class="num">${slots}</td>`
      + `<td class="num">${figure(row.waiting, String)}</td><td class="num">${rate(row.requests_per_second)}</td>`
      + `<td class="num">${finePercent(row.error_ratio)}</td><td class="num low">${percent(row.hit_ratio)}</td>`
      + `<td class="num">${span(row.last_seen_seconds)}${row.state === "fresh" ? "" : ` <span class="tag lv-stale">${esc(row.state)}</span>`}</td>`
      + `<td class="num low">${span(uptime)}</td><td class="num low">${row.restarts}</td>`;
  }

  // Only rows in and near the window are in the document; two rows of the right height are in the place of the others.
  const drawn = new Map();
  const pads = [0, 1].map(() => {
    const pad = document.createElement("tr");
    pad.className = "pad";
    pad.setAttribute("aria-hidden", "true");
    pad.append(document.createElement("td"));
    pad.firstChild.colSpan = 12;
    return pad;
  });
  let rowHeight = 29, shape = "";
  function drawRows() {
    const table = $("rows");
    if (!table || !rows.size) return;
    const total = Math.min(sorted.length, state.top), rest = sorted.length - total;
    const from = table.getBoundingClientRect().top;
    let first = Math.max(0, Math.floor(-from / rowHeight) - 15);
    let last = Math.min(total, Math.ceil((innerHeight - from) / rowHeight) + 15);
    if (total <= 150) { first = 0; last = total; }
    if (last < first) last = first;
    const visible = sorted.slice(first, last), wanted = new Set(), list = [];
    for (const row of visible) {
      wanted.add(row.id);
      let element = drawn.get(row.id);
      if (!element) {
        element = document.createElement("tr");
        element.dataset.id = row.id;
        drawn.set(row.id, element);
      }
      const html = rowHtml(row), name = "row lv-" + row.level;
      if (element.className !== name) element.className = name;
      if (element.drawnHtml !== html) {
        const focused = element.contains(document.activeElement);
        element.innerHTML = html;
        element.drawnHtml = html;
        if (focused) element.querySelector("a").focus({ preventScroll: true });
      }
      list.push(element);
    }
    for (const id of drawn.keys()) if (!wanted.has(id)) drawn.delete(id);
    const next = first + ":" + total + ":" + visible.map((row) => row.id).join();
    if (next !== shape) {
      shape = next;
      pads[0].firstChild.style.height = first * rowHeight + "px";
      pads[1].firstChild.style.height = (total - last) * rowHeight + "px";
      const focus = document.activeElement;
      table.replaceChildren(...(first ? [pads[0]] : []), ...list, ...(last < total ? [pads[1]] : []));
      if (focus && focus !== document.activeElement && table.contains(focus)) focus.focus({ preventScroll: true });
    }
    if (list.length) rowHeight = list[list.length >> 1].getBoundingClientRect().height || rowHeight;
    $("matching").textContent = sorted.length;
    const more = $("rest");
    more.hidden = rest <= 0;
    more.firstElementChild.textContent = rest + " more";
    more.firstElementChild.href = address({ top: Infinity });
    let none = $("none");
    if (!none && !sorted.length) {
      none = document.createElement("p");
      none.id = "none";
      none.className = "quiet";
      none.textContent = "Nothing matches the filter.";
      more.before(none);
    }
    if (none) none.hidden = sorted.length > 0;
  }

  // ---- The strip: a cell for each worker, always in the same place ----
  const cells = new Map();
  let places = "";
  const LONG = 600, FEW = 64;
  function drawStrip() {
    const strip = $("strip");
    if (!strip || !rows.size) return;
    const key = state.key || strip.dataset.key, [read, level, format] = KEYS[key] || KEYS.kv;
    largest = 0;
    for (const row of rows.values()) largest = Math.max(largest, read(row) || 0);
    const target = { kv: targets.kv, waiting: targets.queue, slots: 1, hits: 1 }[key] || largest;
    const ordered = [...rows.values()].sort(byId);
    for (const row of ordered) {
      let cell = cells.get(row.id);
      if (!cell) {
        cell = document.createElement("a");
        cell.href = workerHref(row.id);
        cell.tabIndex = -1;
        cells.set(row.id, cell);
      }
      const v = read(row);
      let at = level(row) || "none";
      if (row.level === "stale") at = "stale";
      else if (row.level === "new" && at === "ok") at = "new";
      const height = at === "stale" ? 8 : v == null ? 0 : Math.min(8, Math.max(0, Math.round((target > 0 ? v / target : 0) * 8)));
      const name = `cell lv-${at} h${height}`;
      if (cell.className !== name) cell.className = name;
      // What a cell says when the pointer is on it is written then.
      cell.says = () => (row.hex ? "0x" + row.hex : plain(row.id)) + " " + (at === "stale" ? row.state : format(v));
    }
    for (const id of cells.keys()) if (!rows.has(id)) cells.delete(id);
    const next = ordered.map((row) => row.id).join();
    if (next !== places) {
      places = next;
      strip.classList.toggle("many", ordered.length > LONG);
      strip.classList.toggle("few", ordered.length <= FEW);
      strip.replaceChildren(...ordered.map((row) => cells.get(row.id)));
      if ($("strip-rest")) $("strip-rest").remove();
    }
    const at = (l) => ordered.filter((row) => row.level === l).length;
    $("strip-text").textContent = `${ordered.length} ${ordered.length === 1 ? "worker" : "workers"}: ${at("bad")} at the target or above, `
      + `${at("warn")} at 80 % or more, ${at("stale")} silent, ${at("new")} new`;
  }

  let frame = 0;
  function draw(what) {
    draw.strip = draw.strip || what !== "rows";
    if (frame) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      drawRows();
      if (draw.strip) drawStrip();
      draw.strip = false;
    });
  }

  // ---- What the reader does ----
  function changedView() {
    const filter = $("filter");
    if (filter && filter.value !== state.filter && document.activeElement !== filter) filter.value = state.filter;
    if (!isPool) { if (screen === "overview") connect(); return; }
    document.querySelectorAll("[data-sort]").forEach((link) => {
      const is = link.dataset.sort === state.sort, up = ["id", "host", "hits", "uptime"].includes(state.sort);
      link.href = address({ sort: link.dataset.sort });
      if (is) link.closest("th").setAttribute("aria-sort", up ? "ascending" : "descending");
      else link.closest("th").removeAttribute("aria-sort");
    });
    const shownKey = state.key || ($("strip") && $("strip").dataset.key);
    document.querySelectorAll("[data-key]").forEach((link) => {
      if (link.tagName !== "A") return;
      link.href = address({ key: link.dataset.key });
      if (link.dataset.key === shownKey) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
    arrange();
    draw();
  }
  function setPaused(on) {
    paused = on ? { at: new Date().toLocaleTimeString() } : null;
    $("pause").setAttribute("aria-pressed", String(on));
    $("pause").textContent = on ? "Resume" : "Pause";
    if (!on) {
      for (const [id, html] of pending) swap(id, html);
      pending.clear();
      for (const event of held.splice(0)) takeRows(event);
      arrange();
      draw();
    }
    tick();
  }
  async function copy(button) {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without TLS there is no clipboard, but a selection can be copied.
      const area = document.createElement("textarea");
      area.value = text;
      area.className = "sr";
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1200);
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) { copy(button); return; }
    const link = event.target.closest("a");
    if (!link || !isPool || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const changed = link.dataset.sort ? { sort: link.dataset.sort } : link.dataset.key ? { key: link.dataset.key }
      : link.dataset.top ? { top: Infinity } : null;
    if (!changed || !rows.size) return;
    event.preventDefault();
    go(changed);
  });
  let typing = 0;
  document.addEventListener("input", (event) => {
    if (event.target.id !== "filter") return;
    clearTimeout(typing);
    typing = setTimeout(() => go({ filter: event.target.value.trim() }, true), isPool ? 60 : 250);
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches(".filter") || (isPool && !rows.size)) return;
    event.preventDefault();
    clearTimeout(typing);
    go({ filter: $("filter").value.trim() });
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.matches("input, textarea");
    if (event.key === "Escape" && isTyping) {
      event.target.value = "";
      event.target.blur();
      go({ filter: "" }, true);
      return;
    }
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && $("filter")) { event.preventDefault(); $("filter").focus(); $("filter").select(); }
    else if (event.key === "p") setPaused(!paused);
    else if (event.key === "g") location.href = "./";
    else if (event.key === "w") location.href = "why";
    else if (event.key === "c") location.href = "collector";
  });
  addEventListener("popstate", () => { readAddress(); changedView(); });
  addEventListener("scroll", () => draw("rows"), { passive: true });
  addEventListener("resize", () => draw("rows"));
  if ($("pause")) $("pause").addEventListener("click", () => setPaused(!paused));

  addEventListener("pointerover", (event) => {
    if (event.target.says) event.target.title = event.target.says();
  });

  // ---- The stream ----
  const held = [];
  let source = null;
  function takeRows(event) {
    const { live, isWhole } = event;
    if (isWhole) rows.clear();
    for (const packed of live.rows) { const row = unpack(packed); rows.set(row.id, row); }
    for (const id of live.gone) rows.delete(id);
    if (live.kv_target != null) targets = { kv: live.kv_target, queue: live.queue_target };
    taken = live.taken;
  }
  function take(message, isWhole) {
    const live = JSON.parse(message.data);
    roundAge = live.round_age;
    limit = live.round_limit;
    connected = live.connected;
    heardAt = performance.now();
    lostAt = null;
    gone = false;
    swap("state", live.parts.state || $("part-state").innerHTML);
    delete live.parts.state;
    if (paused) {
      for (const [id, html] of Object.entries(live.parts)) pending.set(id, html);
      if (isWhole) held.length = 0;
      held.push({ live, isWhole });
    } else {
      for (const [id, html] of Object.entries(live.parts)) swap(id, html);
      if (isPool) {
        const before = rows.size;
        takeRows({ live, isWhole });
        // The page of a pool without workers has no table.
        if (rows.size && !$("rows")) { location.reload(); return; }
        arrange();
        draw();
        if (!before) changedView();
      }
    }
    body.dataset.snapshot = live.snapshot;
    tick();
  }
  function connect() {
    if (source) source.close();
    const query = new URLSearchParams({ screen });
    if (pool) query.set("pool", pool);
    if (body.dataset.worker) query.set("worker", body.dataset.worker);
    if (screen === "overview") {
      if (state.filter) query.set("filter", state.filter);
      if (state.top !== 100) query.set("top", state.top === Infinity ? "all" : state.top);
    }
    source = new EventSource("live?" + query);
    source.addEventListener("view", (message) => take(message, true));
    source.addEventListener("delta", (message) => take(message, false));
    source.addEventListener("gone", () => { gone = true; heardAt = performance.now(); tick(); });
    source.addEventListener("open", () => { lostAt = null; });
    source.addEventListener("error", () => {
      lostAt = lostAt || performance.now();
      // A browser gives up where the answer is no stream, as while a proxy restarts.
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
    });
  }

  readAddress();
  if (limit != null) {
    $("pause").hidden = false;
    document.querySelector(".keys").hidden = false;
    connect();
  }
  tick();
})();
