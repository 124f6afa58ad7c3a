// ---- Receiving: subscribe first, then read what was missed; known messages are known by id. ----
const messages = new Map();
let after = 0, isRead = false, synced = false, socket = null, connecting = false, attempt = 0, connectTimer;
const lastPosition = () => Math.max(after, ...[...messages.values()].map(({ position }) => position));
const put = (message) => {
  const { edited_at } = messages.get(message.message_id) || {};
  messages.set(message.message_id, { edited_at, ...message });
};
const readOn = async () => {
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
  isRead = true;
};
let reading = Promise.resolve();
const catchUp = () => (reading = reading.catch(() => {}).then(readOn));
const REREAD = 50; // an edit moves no position: of so many messages a new connection reads it again
const rewind = () => {
  after = [...messages.values()].map(({ position }) => position).sort((a, b) => b - a)[REREAD] || 0;
};
const beginAnew = () => { // the old token was too old: this is another visitor, with no history
  messages.clear();
  after = 0;
  if (socket) socket.close();
};

// ---- Where no socket is let through, the history is asked for now and then. ----
const POLL_MS = 4000, POLL_UNSEEN_MS = 30000, REREAD_EVERY = 5, TRIES = 2;
let polls = 0, pollTimer, noSocket = false, noRequests = false;
const poll = async () => {
  clearTimeout(pollTimer);
  if (synced || noRequests || life.signal.aborted) return;
  if (polls++ % REREAD_EVERY === 0) rewind();
  try {
    await catchUp();
    setStatus("online");
    if (sendAttempt) flush();
    render();
  } catch (error) {
    setStatus(statusAfter(error));
  }
  clearTimeout(pollTimer);
  pollTimer = setTimeout(poll, document.hidden || panel.hidden ? POLL_UNSEEN_MS : POLL_MS);
};
// A sandboxed frame's origin is no site's, so that no source allows it; the browser only says that nothing came.
const statusAfter = (error) => (error instanceof Refused || self.origin === "null" ? "closed" : navigator.onLine ? "away" : "offline");
// A page's policy (CSP) that lets nothing through stays as it is while the page is there: asking again would only fill its console.
on(document, "securitypolicyviolation", ({ blockedURI, disposition, effectiveDirective }) => {
  if (disposition !== "enforce" || effectiveDirective !== "connect-src") return;
  if (`${blockedURI}/`.startsWith(`${server}/`)) {
    noRequests = true;
    setStatus("closed");
  } else if (socket && /^wss?(:|$)/.test(blockedURI)) { // browsers tell no more than the scheme
    noSocket = true;
    onLost();
  }
});

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
    setStatus("online");
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
const onLost = (code, error) => {
  if (code === 4401 && mine) outdated = mine.token;
  const wasSynced = synced;
  socket = null;
  synced = connecting = false;
  rewind();
  clearTimeout(connectTimer);
  if (life.signal.aborted) return;
  if (!noSocket && !noRequests) connectTimer = setTimeout(connect, pause(attempt));
  attempt += 1;
  if (wasSynced || error) setStatus(statusAfter(error));
  if (noSocket || attempt > TRIES) poll();
};
const connect = async () => {
  if (socket || connecting || noSocket || noRequests || life.signal.aborted) return;
  connecting = true;
  try {
    await session();
  } catch (error) {
    if (error instanceof Refused) console.warn(`Parley: no session (${error.message})`);
    return onLost(0, error);
  }
  const { token } = mine;
  connecting = false;
  try {
    const made = (socket = new WebSocket(`${server.replace(/^http/, "ws")}/widget/${source}/live`));
    made.onopen = () => made.send(JSON.stringify({ token }));
    made.onmessage = (event) => made === socket && onFrame(made, JSON.parse(event.data));
    made.onclose = (event) => made === socket && onLost(event.code);
  } catch { // some browsers say at once that the page's policy forbids it
    noSocket = true;
    onLost();
  }
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
  on(window, "online", now);
  on(window, "offline", () => {
    const gone = socket;
    if (gone) onLost();
    if (gone) gone.close();
    setStatus("offline");
  });
  // A phone that slept may hold a socket that is long dead: asking finds out.
  on(document, "visibilitychange", () => {
    if (document.hidden) return;
    if (synced) catchUp().then(() => render(), () => socket && socket.close());
    else if (noSocket) poll();
    else now();
  });
  now();
};
