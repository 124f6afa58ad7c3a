const script = document.currentScript || document.querySelector("script[data-source][src*='widget.js']");
if (!script || !script.dataset.source) throw new Error("Parley: the widget's script needs data-source");
if (document.getElementById("parley-widget")) throw new Error("Parley: the widget is on this page already");
const { source, userId = "", userHash = "", name, email, title, color } = script.dataset;
const server = new URL(script.src).origin;
const asked = script.dataset.language || document.documentElement.lang || navigator.language || "";
const language = asked.slice(0, 2).toLowerCase() in TEXTS ? asked.slice(0, 2).toLowerCase() : "en";
const t = TEXTS[language];

// ---- What this browser keeps. Each signed-in user has a place of their own in it. ----
const memory = {};
let kept = true; // where the browser lets us keep nothing, memory lasts as long as the page
const place = (key) => `parley:${source}:${userId}:${key}`;
const load = (key, otherwise = null) => {
  try {
    if (kept) return JSON.parse(localStorage.getItem(place(key))) ?? otherwise;
  } catch { /* then from memory */ }
  return memory[key] ?? otherwise;
};
const keep = (key, value) => {
  memory[key] = value;
  try {
    localStorage.setItem(place(key), JSON.stringify(value));
  } catch {
    kept = false;
  }
};
const queue = () => load("queue", []);
const changeItem = (id, change) => keep("queue", queue().map((item) => (item.id === id ? { ...item, ...change } : item)));

// One after another; in all tabs, which keep one store, where the browser can (only pages by https).
const turns = {};
const alone = (key, work) => {
  if (navigator.locks) return navigator.locks.request(place(key), work);
  return (turns[key] = (turns[key] || Promise.resolve()).catch(() => {}).then(work));
};

// ---- Requests. `Later`: try again by itself; `Refused`: trying again would not help. ----
class Later extends Error {}
class Refused extends Error {}
const TIMEOUT_MS = 15000, RENEW_BEFORE_MS = 15 * 864e5;

const ask = async (method, path, body, token) => {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  if (body) headers["content-type"] = "application/json";
  try {
    const answer = await fetch(server + path, { method, headers, body: body && JSON.stringify(body), signal: abort.signal, credentials: "omit" });
    if (answer.status === 401) outdate();
    if (answer.ok) return await answer.json();
    throw new ([401, 408, 425, 429].includes(answer.status) || answer.status >= 500 ? Later : Refused)(answer.status);
  } catch (error) {
    throw error instanceof Refused ? error : new Later(error.message);
  } finally {
    clearTimeout(timer);
  }
};

const said = { language, name, email, identity: userId ? { user_id: userId, hash: userHash, name: name || "" } : undefined };
const SAID = JSON.stringify(said);
let renewed = ""; // this page's own token is fresh whatever the visitor's clock says
const session = async () => {
  const lasts = ({ token, expires_at }) => token === renewed || Date.parse(expires_at) - Date.now() > RENEW_BEFORE_MS;
  const isFresh = (one) => one && one.said === SAID && lasts(one);
  if (isFresh(load("session"))) return load("session").token;
  // Not twice at a time, or two new visitors would come of it.
  return alone("session", async () => {
    const before = load("session");
    if (isFresh(before)) return before.token;
    const got = await ask("POST", `/widget/${source}/session`, { ...said, token: before ? before.token : undefined });
    keep("session", { ...got, said: SAID });
    renewed = got.token;
    if (before && before.visitor_id !== got.visitor_id) beginAnew();
    return got.token;
  });
};
const outdate = () => {
  renewed = "";
  if (load("session")) keep("session", { ...load("session"), expires_at: "" });
};
const askAsVisitor = async (method, path, body) => ask(method, path, body, await session());
const pause = (attempt) => Math.min(30000, 500 * 2 ** attempt) * (0.5 + Math.random() / 2);

// ---- Sending: in order, one after another, until each is acknowledged or refused. ----
const SENT_KEPT_MS = 864e5;
let flushing = false, again = false, sendAttempt = 0, sendTimer;
const uuid = () => {
  if (crypto.randomUUID) return crypto.randomUUID(); // only pages by https have it
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
};
const write = (text) => {
  // Where the history is not known yet, nothing in it may be taken for this message.
  const known = synced || messages.size ? lastPosition() : Number.MAX_SAFE_INTEGER;
  keep("queue", [...queue(), { id: uuid(), text, at: new Date().toISOString(), after: known, state: "sending" }]);
  render(true);
  start();
  flush();
};
const drain = async () => {
  for (let item; (item = queue().find(({ state }) => state === "sending"));) {
    try {
      const { message_id } = await askAsVisitor("POST", `/hooks/widget/${source}`, { message_id: item.id, text: item.text });
      changeItem(item.id, { state: "sent", message_id });
      sendAttempt = 0;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      console.warn(`Parley: a message was refused (${error.message})`);
      changeItem(item.id, { state: "failed" });
    }
    render();
  }
};
const flush = async () => {
  again = true;
  if (flushing) return;
  flushing = true;
  clearTimeout(sendTimer);
  try {
    while (again) {
      again = false;
      await alone("send", drain);
    }
  } catch {
    sendTimer = setTimeout(flush, pause(sendAttempt++));
  }
  flushing = false;
};

// ---- Receiving: subscribe first, then read what was missed; known messages are known by id. ----
const messages = new Map();
let after = 0, synced = false, socket = null, connecting = false, online = true, attempt = 0, connectTimer;
const lastPosition = () => Math.max(after, ...[...messages.values()].map(({ position }) => position));
const put = (message) => {
  const { edited_at } = messages.get(message.message_id) || {};
  messages.set(message.message_id, { edited_at, ...message });
};
const catchUp = async () => {
  const unseen = new Set([...messages.values()].filter(({ position }) => position > after).map(({ message_id }) => message_id));
  let page;
  do {
    page = await askAsVisitor("GET", `/widget/${source}/messages?after=${after}`);
    page.items.forEach(put);
    page.items.forEach(({ message_id }) => unseen.delete(message_id));
    // Live messages do not count here: there may be others before them that were missed.
    if (page.items.length) after = page.items[page.items.length - 1].position;
  } while (page.more);
  unseen.forEach((id) => messages.delete(id)); // taken back while we were away
};
const beginAnew = () => { // the old token was too old: this is another visitor, with no history
  messages.clear();
  after = 0;
  if (socket) socket.close();
};
const onFrame = async (from, frame) => {
  if (frame.type === "ready") {
    try {
      await catchUp();
    } catch {
      return from.close();
    }
    if (from !== socket) return;
    synced = true;
    attempt = 0;
    setOnline(true);
    flush();
  } else if (frame.type === "message") {
    put(frame.message);
  } else if (frame.type === "edited" && messages.has(frame.message_id)) {
    const { content, edited_at } = frame;
    messages.set(frame.message_id, { ...messages.get(frame.message_id), content, edited_at });
  } else if (frame.type === "deleted") {
    messages.delete(frame.message_id);
  }
  if (synced) after = lastPosition();
  render();
};
const REREAD = 50; // an edit moves no position: of so many messages a new connection reads it again
const onLost = (code) => {
  if (code === 4401) outdate();
  socket = null;
  synced = connecting = false;
  after = [...messages.values()].map(({ position }) => position).sort((a, b) => b - a)[REREAD] || 0;
  setOnline(false);
  clearTimeout(connectTimer);
  connectTimer = setTimeout(connect, pause(attempt++));
};
const connect = async () => {
  if (socket || connecting) return;
  connecting = true;
  let token;
  try {
    token = await session();
  } catch (error) {
    if (error instanceof Refused) console.warn(`Parley: no session (${error.message})`);
    return onLost();
  }
  const made = (socket = new WebSocket(`${server.replace(/^http/, "ws")}/widget/${source}/live`));
  connecting = false;
  made.onopen = () => made.send(JSON.stringify({ token }));
  made.onmessage = (event) => made === socket && onFrame(made, JSON.parse(event.data));
  made.onclose = (event) => made === socket && onLost(event.code);
};
const now = () => {
  if (!started) return;
  attempt = sendAttempt = 0;
  clearTimeout(connectTimer);
  connect();
  flush();
};
let started = false;
const start = () => {
  if (started) return;
  started = true;
  addEventListener("online", now);
  addEventListener("offline", () => {
    const gone = socket;
    if (gone) onLost();
    if (gone) gone.close();
    setOnline(false);
  });
  // A phone that slept may hold a socket that is long dead: asking finds out.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    if (synced) catchUp().then(() => render(), () => socket && socket.close());
    else now();
  });
  now();
};
