// ---- The view. Text only ever becomes text nodes: nothing here reads markup. ----
const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
};
const icon = (name, ...paths) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", name);
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  for (const d of paths) svg.appendChild(document.createElementNS(svg.namespaceURI, "path")).setAttribute("d", d);
  return svg;
};

// The first on the page is where one looks for it; another source's stands beside it.
const ID = "parley-widget";
const host = element("div", { id: document.getElementById(ID) ? `${ID}-${source}` : ID, lang: language });
const root = host.attachShadow({ mode: "open" });
const status = element("p", { class: "status", role: "status" }, t.online);
const log = element("div", { class: "log", role: "log", "aria-live": "polite", tabindex: "0", "aria-label": title || t.title });
const field = element("textarea", { rows: "1", maxlength: "4000", placeholder: t.placeholder, "aria-label": t.placeholder, enterkeyhint: "send" });
const sendButton = element("button", { class: "send", type: "submit", "aria-label": t.send, disabled: "" }, icon("arrow", "M12 20V5", "M5 12l7-7 7 7"));
const panel = element("section", { class: "panel", role: "dialog", "aria-labelledby": "title", id: "panel", hidden: "" },
  element("header", {},
    element("div", {}, element("h2", { id: "title" }, title || t.title), status),
    element("button", { class: "close", type: "button", "aria-label": t.close, onclick: () => show(false) }, icon("cross", "M18 6L6 18", "M6 6l12 12"))),
  log,
  element("form", { onsubmit: (event) => { event.preventDefault(); submit(); } }, field, sendButton));
const badge = element("span", { class: "badge", hidden: "" });
const launcher = element("button", { class: "launcher", type: "button", "aria-label": t.open, "aria-expanded": "false",
  "aria-controls": "panel", onclick: () => show(panel.hidden) },
  icon("talk", "M21 12a8.5 8.5 0 0 1-12.3 7.6L3 21l1.5-5.4A8.5 8.5 0 1 1 21 12z", "M8.5 12h.01", "M12.5 12h.01", "M16.5 12h.01"),
  icon("fold", "M5 9l7 7 7-7"), badge);

const CLIP = "M20.5 11.5l-8.6 8.6a5.5 5.5 0 0 1-7.8-7.8l8.6-8.6a3.7 3.7 0 0 1 5.2 5.2l-8.6 8.6a1.8 1.8 0 0 1-2.6-2.6l8-8";
const LINK = /https?:\/\/[^\s<>"']+/g;
const textNodes = (text) => {
  const nodes = [];
  let from = 0;
  for (const { 0: found, index } of text.matchAll(LINK)) {
    const address = found.replace(/[.,;:!?)\]}»”]+$/, "");
    try {
      const { href } = new URL(address);
      nodes.push(text.slice(from, index), element("a", { href, target: "_blank", rel: "noopener noreferrer nofollow ugc" }, address));
      from = index + address.length;
    } catch { /* no address after all: it stays text */ }
  }
  return [...nodes, text.slice(from)];
};

const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(language, { day: "numeric", month: "long" });
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const dayOf = (at) => new Date(at).setHours(0, 0, 0, 0);
const dayName = (day) => {
  const ago = Math.round((dayOf(Date.now()) - day) / 864e5);
  return ago < 2 ? relative.format(-ago, "day") : date.format(day);
};

// What is true of a message that is being sent for long.
const waitingLabel = () => (state === "closed" ? "failed" : (sendAttempt || state !== "online") && "waiting");
// The messages that are known, then those of the queue that are not known yet.
const ownIds = new Map(); // message id → the id we gave it, so that its place on the screen stays
const rows = () => {
  const known = [...messages.values()].sort((a, b) => a.position - b.position);
  const claimed = new Set(queue().map((item) => item.message_id));
  const waiting = [];
  for (const item of queue()) {
    if (item.message_id) ownIds.set(item.message_id, item.id);
    // Its acknowledgement may have been lost, and the message be there: then it is shown once.
    const there = messages.get(item.message_id) || (item.message_id ? undefined : known.find((message) =>
      message.direction === "incoming" && message.position > item.after && message.content.text === item.text && !claimed.has(message.message_id)));
    if (there) claimed.add(there.message_id);
    else waiting.push({ key: item.id, mine: true, at: item.at, text: item.text, files: [], state: item.state, waits: item.state === "sending" && waitingLabel() });
  }
  const shown = known.map(({ message_id, direction, occurred_at, content, edited_at }) => ({
    key: ownIds.get(message_id) || message_id, mine: direction === "incoming", at: occurred_at, text: content.text || "",
    files: (content.attachments || []).map(({ attachment_id, reference, file_name, kind }) => ({ attachment_id, reference, called: file_name || kind })), edited: Boolean(edited_at), state: "sent",
  }));
  const all = [...shown, ...waiting];
  const latest = all.filter(({ mine }) => mine).pop();
  return all.map((row) => ({ ...row, isLatest: row === latest }));
};
const settle = () => {
  const left = queue().filter(({ message_id, at }) => !message_id || (!messages.has(message_id) && Date.now() - Date.parse(at) < SENT_KEPT_MS));
  for (const { id, message_id } of queue()) if (message_id) ownIds.set(message_id, id);
  if (left.length !== queue().length) keep("queue", left);
};
const resend = (id) => {
  changeItem(id, { state: "sending" });
  render();
  flush();
};
// A link is asked for when it is wanted: it lasts a few minutes. What it opens is saved, so that this page stays.
const fileButton = ({ attachment_id, reference, called }) => {
  const open = async () => {
    button.disabled = true;
    try {
      const { url } = await askAsVisitor("POST", `/widget/${source}/files`, { attachment_id, reference });
      element("a", { href: server + url, download: "" }).click();
      button.title = t.download;
    } catch {
      button.title = note.textContent = t.gone;
    }
    button.disabled = false;
  };
  const note = element("span", { role: "status" });
  const button = element("button", { class: "file", type: "button", title: t.download, onclick: open }, icon("clip", CLIP), called);
  return element("div", {}, button, note);
};
const drawRow = ({ key, mine, at, text, files, state, waits, edited, isLatest }) => {
  const label = mine && (isLatest || state !== "sent") && t[waits || state];
  const meta = element("div", { class: "meta" }, [clock.format(new Date(at)), edited && t.edited, label].filter(Boolean).join(" · "));
  if (state === "failed") meta.append(" ", element("button", { type: "button", onclick: () => resend(key) }, t.retry));
  const bubble = element("div", { class: "bubble" }, element("span", { class: "hidden" }, `${mine ? t.you : t.team}: `), ...textNodes(text));
  for (const file of files) bubble.append(fileButton(file));
  return element("div", { class: `row ${mine ? "mine" : "theirs"} ${state}` }, bubble, meta);
};

const drawn = new Map(); // key → { signature, node }: what has not changed is left alone, for screen readers' sake
const render = (toEnd = false) => {
  settle();
  const wanted = [];
  let day;
  for (const row of rows()) {
    if (dayOf(row.at) !== day) {
      day = dayOf(row.at);
      wanted.push({ key: `day ${row.key}`, signature: dayName(day), draw: () => element("div", { class: "day" }, dayName(dayOf(row.at))) });
    }
    wanted.push({ key: row.key, signature: JSON.stringify(row), draw: () => drawRow(row) });
  }
  if (!wanted.length) wanted.push({ key: "hello", signature: "", draw: () => element("div", { class: "hello" }, element("b", {}, t.greeting), t.invite) });
  const atEnd = toEnd || log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  const keys = new Set(wanted.map(({ key }) => key));
  for (const [key, { node }] of drawn) if (!keys.has(key)) { node.remove(); drawn.delete(key); }
  wanted.forEach(({ key, signature, draw }, index) => {
    let one = drawn.get(key);
    if (!one || one.signature !== signature) {
      const node = draw();
      if (one) one.node.replaceWith(node);
      drawn.set(key, (one = { signature, node }));
    }
    if (log.children[index] !== one.node) log.insertBefore(one.node, log.children[index] || null);
  });
  if (atEnd) log.scrollTop = log.scrollHeight;
  if (!panel.hidden && !document.hidden && load("read", 0) < lastPosition()) keep("read", lastPosition());
  const unread = [...messages.values()].filter(({ direction, position }) => direction === "outgoing" && position > load("read", 0)).length;
  badge.hidden = !unread;
  badge.textContent = unread > 9 ? "9+" : unread;
  launcher.setAttribute("aria-label", unread ? `${t.open} (${unread})` : t.open);
};
let state = "online"; // or offline, away (nothing is answered), closed (nothing will be)
const setStatus = (value) => {
  if (state === value) return;
  state = value;
  status.textContent = t[state];
  panel.classList.toggle("offline", state !== "online");
  render();
};

const show = (open, focus = true) => {
  panel.hidden = !open;
  launcher.setAttribute("aria-expanded", open);
  try {
    sessionStorage.setItem(place("open"), open ? "1" : "");
  } catch { /* it will be closed on the next page */ }
  if (open) {
    start();
    render(true);
  }
  if (focus) (open ? field : launcher).focus();
};
const fit = () => {
  field.style.height = "auto";
  field.style.height = `${Math.min(132, field.scrollHeight)}px`;
  sendButton.disabled = !field.value.trim();
};
const submit = () => {
  const text = field.value.trim();
  if (!text) return;
  field.value = "";
  fit();
  write(text);
};
field.addEventListener("input", fit);
field.addEventListener("keydown", (event) => {
  // 229: Safari says so of the Enter that ends a composition, after it has ended.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  submit();
});
// The page's own shortcuts are not meant for what is typed here.
for (const kind of ["keydown", "keypress", "keyup"]) panel.addEventListener(kind, (event) => event.stopPropagation());
panel.addEventListener("keydown", (event) => event.key === "Escape" && !event.isComposing && show(false));
on(window, "storage", ({ key }) => key && key.startsWith(place("")) && render());

// A page may replace its body, or all of itself, and show the next: the widget stays. Not at once where the page takes it
// away again and again, or neither would ever come to an end.
const PATIENCE_MS = 10000;
let returns = 0, returnTimer;
const watcher = new MutationObserver(() => {
  if (host.isConnected || returnTimer) return;
  returnTimer = setTimeout(attach, Math.min(PATIENCE_MS, returns && 2 ** returns));
  returns += 1;
  setTimeout(() => (returns = Math.max(0, returns - 1)), PATIENCE_MS);
});
const attach = () => {
  clearTimeout(returnTimer);
  returnTimer = 0;
  if (!document.body || life.signal.aborted) return;
  if (!host.isConnected) document.body.append(host);
  log.scrollTop = log.scrollHeight;
  watcher.disconnect();
  for (const one of [document, document.documentElement, document.body]) watcher.observe(one, { childList: true });
};
const end = () => {
  life.abort();
  for (const timer of [sendTimer, connectTimer, pollTimer, returnTimer]) clearTimeout(timer);
  watcher.disconnect();
  host.remove();
  const gone = socket;
  socket = null;
  if (gone) gone.close();
};
const begin = () => {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
  } catch {
    root.append(element("style", {}, STYLE)); // older browsers
  }
  if (color) host.style.setProperty("--accent", color);
  host.style.setProperty("--beside", Object.keys(widgets).indexOf(source));
  root.append(panel, launcher);
  attach();
  let wasOpen = false;
  try {
    wasOpen = Boolean(sessionStorage.getItem(place("open")));
  } catch { /* closed, then */ }
  if (wasOpen) show(true, false);
  // Who has written before may have been answered meanwhile.
  else if (load("session") || queue().length) start();
  render();
};
widgets[source] = { said: SAID, attach, end };
if (document.body) begin();
else on(window, "DOMContentLoaded", begin);
