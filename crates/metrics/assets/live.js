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
  const MISLEADING = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
  const plain = (text) => String(text).replace(MISLEADING, (c) =>
    ({ "\n": "\\n", "\r": "\\r", "\t": "\\t" })[c] || "\\u{" + c.charCodeAt(0).toString(16) + "}");
  const shown = (text) => {
    const all = [...plain(text)];
    return all.length > 160 ? all.slice(0, 159).join("") + "…" : all.join("");
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
  // A worker has one object as long as it is there: lists of workers stay in order, or almost, from snapshot to snapshot.
  const rows = new Map();
  let targets = { kv: 0.8, queue: 5 }, taken = 0, edition = 0, all = [], places = [], sorted = [], areOthers = true;
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
    if (areOthers) {
      all = [...rows.values()];
      places = [...all].sort(byId);
      areOthers = false;
    }
    const order = ORDERS[state.sort] || ORDERS.severity;
    all.sort((a, b) => order(a, b) || byId(a, b));
    sorted = state.filter ? all.filter(matcher()) : all;
  }

  const SIGNS = { bad: ["▲", "at the target or above"], warn: ["△", "80 % of the target or more"] };
  const MEANINGS = { none: "no target", ok: "below 80 % of the target", new: "started less than 60 s ago",
    warn: "80 % of the target or more", bad: "at the target or above", stale: "silent" };
  const clamp = (v) => Math.round(Math.min(Math.max(v, 0), 1) * 100);

  // ---- Rows: the elements of one that leaves the window are filled anew for one that comes ----
  const BAR = `<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="100" `
    + `height="10"/><rect class="fill" width="0" height="10"/><rect class="goal" x="0" width="2" height="10"/></svg>`;
  const NUMBER = `<td class="num"></td>`, LOW = `<td class="num low"></td>`;
  const blank = document.createElement("template");
  blank.innerHTML = `<tr><td class="mark"><span class="dot" role="img"></span></td><th scope="row" class="id"><a></a></th>`
    + `<td class="low"></td><td class="num"> <span></span></td>${NUMBER}<td class="num"><span></span></td>`
    + NUMBER + NUMBER + LOW + NUMBER + LOW + LOW + "</tr>";
  // Sets what differs, because the browser lays out again whatever is set.
  function set(element, name, text) { if (element[name] !== text) element[name] = text; }
  function mark(element, name, text) { if (element.getAttribute(name) !== text) element.setAttribute(name, text); }
  // The text that an element begins with.
  function write(element, text) {
    const first = element.firstChild;
    if (first && first.nodeType === Node.TEXT_NODE) set(first, "nodeValue", text);
    else element.prepend(text);
  }
  // An element behind that text, or none.
  function follow(cell, name, text) {
    let element = cell.querySelector("span");
    if (text == null) { if (element) element.remove(); return; }
    if (!element) cell.append(element = document.createElement("span"));
    set(element, "className", name);
    write(element, text);
  }
  function drawFigure(span, figure, format) {
    set(span, "className", figure ? "fig lv-" + figure.level : "dim");
    write(span, figure ? format(figure.value) : UNKNOWN);
    const sign = figure && SIGNS[figure.level];
    follow(span, "sign", sign && sign[0]);
    if (sign) for (const name of ["title", "aria-label"]) mark(span.lastChild, name, sign[1]);
  }
  function drawBar(cell, figure) {
    let bar = cell.querySelector("svg");
    if (!figure) { if (bar) bar.remove(); return; }
    if (!bar) { cell.insertAdjacentHTML("afterbegin", BAR); bar = cell.firstChild; }
    mark(bar, "class", "bar lv-" + figure.level);
    mark(bar.children[1], "width", String(clamp(figure.value)));
    mark(bar.children[2], "x", String(Math.max(clamp(targets.kv) - 1, 0)));
  }
  // As worker_row in src/html/pool.rs.
  function fill(element, row) {
    const [level, id, host, kv, slots, waiting, requests, errors, hits, seen, uptime, restarts] = element.children;
    set(element, "className", "row lv-" + row.level);
    set(element.dataset, "id", row.id);
    mark(level.firstChild, "aria-label", row.level);
    mark(level.firstChild, "title", MEANINGS[row.level]);
    mark(id.firstChild, "href", workerHref(row.id));
    write(id.firstChild, shortId(row));
    write(host, row.host == null ? UNKNOWN : shown(row.host));
    drawBar(kv, row.kv);
    drawFigure(kv.lastChild, row.kv, percent);
    write(slots, count(row.running));
    follow(slots, "dim", row.running != null && row.capacity != null ? "/" + row.capacity : null);
    drawFigure(waiting.lastChild, row.waiting, String);
    write(requests, rate(row.requests_per_second));
    write(errors, finePercent(row.error_ratio));
    write(hits, percent(row.hit_ratio));
    const isFresh = row.state === "fresh";
    write(seen, span(row.last_seen_seconds) + (isFresh ? "" : " "));
    follow(seen, "tag lv-stale", isFresh ? null : row.state);
    write(uptime, span(row.started_seconds == null ? null : taken - row.started_seconds));
    write(restarts, String(row.restarts));
  }

  // Only rows in and near the window are in the document; two rows of the right height are in the place of the others.
  const drawn = new Map(), spare = [];
  const pads = [0, 1].map(() => {
    const pad = document.createElement("tr");
    pad.className = "pad";
    pad.setAttribute("aria-hidden", "true");
    pad.append(document.createElement("td"));
    pad.firstChild.colSpan = 12;
    return pad;
  });
  // Rows above and below the window, so that a fast scroll shows no gap.
  const BEYOND = 8;
  let rowHeight = 29, measured = 0;
  function drawRows() {
    const table = $("rows");
    if (!table || !rows.size) return;
    const total = Math.min(sorted.length, state.top), rest = sorted.length - total;
    const from = table.getBoundingClientRect().top;
    let first = Math.max(0, Math.floor(-from / rowHeight) - BEYOND);
    let last = Math.min(total, Math.ceil((innerHeight - from) / rowHeight) + BEYOND);
    if (total <= 150) { first = 0; last = total; }
    if (last < first) last = first;
    const visible = sorted.slice(first, last), wanted = new Set(visible.map((row) => row.id));
    for (const [id, element] of drawn) {
      if (wanted.has(id)) continue;
      drawn.delete(id);
      element.edition = null;
      // Else those that stay in their order would have to move around it.
      element.remove();
      spare.push(element);
    }
    const list = visible.map(elementOf);
    spare.length = Math.min(spare.length, 2 * BEYOND);
    set(pads[0].firstChild.style, "height", first * rowHeight + "px");
    set(pads[1].firstChild.style, "height", (total - last) * rowHeight + "px");
    put(table, [...(first ? [pads[0]] : []), ...list, ...(last < total ? [pads[1]] : [])]);
    if (list.length && measured !== edition) {
      measured = edition;
      rowHeight = list[list.length >> 1].getBoundingClientRect().height || rowHeight;
    }
    set($("matching"), "textContent", String(sorted.length));
    const more = $("rest");
    more.hidden = rest <= 0;
    set(more.firstElementChild, "textContent", rest + " more");
    if (rest > 0) more.firstElementChild.href = address({ top: Infinity });
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
  function elementOf(row) {
    let element = drawn.get(row.id);
    if (!element) {
      element = spare.pop() || blank.content.firstChild.cloneNode(true);
      drawn.set(row.id, element);
    }
    if (element.edition !== edition) {
      element.edition = edition;
      fill(element, row);
    }
    return element;
  }
  // Makes these the children, in this order; those that are in their place are not touched.
  function put(parent, children) {
    const wanted = new Set(children), focus = document.activeElement;
    for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
    let at = parent.firstElementChild;
    for (const child of children) {
      if (child === at) at = at.nextElementSibling;
      else parent.insertBefore(child, at);
    }
    if (focus && focus !== document.activeElement && parent.contains(focus)) focus.focus({ preventScroll: true });
  }

  // ---- The strip: a cell for each worker, always in the same place ----
  const cells = new Map();
  let placed = null;
  const LONG = 600, FEW = 64;
  const keyOf = (strip) => state.key || strip.dataset.key;
  const shownLevel = (row, level) => (row.level === "stale" ? "stale" : row.level === "new" && level === "ok" ? "new" : level || "none");
  // Its cells are drawn as soon as it is in the window.
  function drawStrip() {
    const strip = $("strip");
    if (!strip || !rows.size) return true;
    const at = { bad: 0, warn: 0, stale: 0, new: 0 };
    for (const row of places) if (row.level in at) at[row.level]++;
    set($("strip-text"), "textContent", `${places.length} ${places.length === 1 ? "worker" : "workers"}: ${at.bad} at the target or above, `
      + `${at.warn} at 80 % or more, ${at.stale} silent, ${at.new} new`);
    const box = strip.getBoundingClientRect();
    if (placed && (box.bottom < 0 || box.top > innerHeight)) return false;
    const key = keyOf(strip), [read, levelOf] = KEYS[key] || KEYS.kv;
    let target = { kv: targets.kv, waiting: targets.queue, slots: 1, hits: 1 }[key];
    if (target === undefined) target = places.reduce((largest, row) => Math.max(largest, read(row) || 0), 0);
    for (const row of places) {
      let cell = cells.get(row.id);
      if (!cell) {
        cell = document.createElement("a");
        cell.href = workerHref(row.id);
        cell.tabIndex = -1;
        cells.set(row.id, cell);
      }
      cell.row = row;
      const v = read(row), level = shownLevel(row, levelOf(row));
      const height = level === "stale" ? 8 : v == null ? 0 : Math.min(8, Math.max(0, Math.round((target > 0 ? v / target : 0) * 8)));
      const name = `cell lv-${level} h${height}`;
      if (cell.drawnName !== name) cell.className = cell.drawnName = name;
    }
    if (placed !== places) {
      placed = places;
      for (const id of cells.keys()) if (!rows.has(id)) cells.delete(id);
      strip.classList.toggle("many", places.length > LONG);
      strip.classList.toggle("few", places.length <= FEW);
      strip.replaceChildren(...places.map((row) => cells.get(row.id)));
      if ($("strip-rest")) $("strip-rest").remove();
    }
    return true;
  }
  // What a cell says when the pointer is on it.
  function cellText({ row }) {
    const [read, levelOf, format] = KEYS[keyOf($("strip"))] || KEYS.kv;
    return (row.hex ? "0x" + row.hex : plain(row.id)) + " " + (shownLevel(row, levelOf(row)) === "stale" ? row.state : format(read(row)));
  }

  let frame = 0;
  function draw(what) {
    draw.strip = draw.strip || what !== "rows";
    if (frame) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      drawRows();
      if (draw.strip) draw.strip = !drawStrip();
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
      if (held) takeRows(held);
      held = null;
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
  addEventListener("resize", () => { measured = 0; draw(); });
  if ($("pause")) $("pause").addEventListener("click", () => setPaused(!paused));

  addEventListener("pointerover", (event) => {
    if (event.target.row) event.target.title = cellText(event.target);
  });

  // ---- The stream ----
  let source = null, held = null;
  function takeRows({ live, isWhole }) {
    edition++;
    areOthers = areOthers || isWhole;
    const before = isWhole ? new Map(rows) : rows;
    if (isWhole) rows.clear();
    for (const packed of live.rows) {
      const row = unpack(packed), known = before.get(row.id);
      areOthers = areOthers || !known;
      rows.set(row.id, known ? Object.assign(known, row) : row);
    }
    for (const id of live.gone) areOthers = rows.delete(id) || areOthers;
    if (live.kv_target != null) targets = { kv: live.kv_target, queue: live.queue_target };
    taken = live.taken;
  }
  // While the page is paused: the latest of each worker, however long that is.
  function hold({ live, isWhole }) {
    const latest = new Map(isWhole || !held ? [] : held.live.rows.map((row) => [row[0][0], row]));
    const left = new Set(isWhole || !held ? [] : held.live.gone);
    for (const row of live.rows) { latest.set(row[0][0], row); left.delete(row[0][0]); }
    for (const id of live.gone) { latest.delete(id); left.add(id); }
    held = { live: { ...live, rows: [...latest.values()], gone: [...left] }, isWhole: isWhole || (held ? held.isWhole : false) };
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
      hold({ live, isWhole });
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
