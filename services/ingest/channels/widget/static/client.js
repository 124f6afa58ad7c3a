// ---- Requests. `Later`: try again by itself; `Refused`: trying again would not help. ----
class Later extends Error {}
class Refused extends Error {}
const TIMEOUT_MS = 15000, RENEW_BEFORE_MS = 15 * 864e5;

const ask = async (method, path, body, token) => {
  if (noRequests) throw new Later("the page's policy forbids it");
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  if (body) headers["content-type"] = "application/json";
  try {
    const answer = await fetch(server + path, { method, headers, body: body && JSON.stringify(body), signal: abort.signal, credentials: "omit" });
    if (answer.status === 401 && token) outdated = token;
    if (answer.ok) return await answer.json();
    throw new ([401, 408, 425, 429].includes(answer.status) || answer.status >= 500 ? Later : Refused)(answer.status);
  } catch (error) {
    throw error instanceof Refused ? error : new Later(error.message);
  } finally {
    clearTimeout(timer);
  }
};

let mine = null; // whom this page is: should the store be cleared and another tab begin anew, this page stays who it is
let renewed = ""; // this page's own token is fresh whatever the visitor's clock says
let outdated = ""; // and this one holds no more
const isSession = (one) => Boolean(one && one.token && one.visitor_id);
const known = () => {
  const kept = load("session");
  if (isSession(kept) && (!mine || kept.visitor_id === mine.visitor_id)) mine = kept;
  return mine;
};
const lasts = ({ token, expires_at }) => token === renewed || Date.parse(expires_at) - Date.now() > RENEW_BEFORE_MS;
const isFresh = (one) => isSession(one) && one.token !== outdated && one.said === SAID && lasts(one);
const session = async () => {
  if (isFresh(known())) return mine.token;
  // Not twice at a time, or two new visitors would come of it.
  return alone("session", async () => {
    const old = known();
    if (isFresh(old)) return old.token;
    const others = load("session"); // where ours holds no more, another tab may have begun anew already
    mine = old && old.token === outdated && isFresh(others) ? others
      : { ...(await ask("POST", `/widget/${source}/session`, { ...said, token: old ? old.token : undefined })), said: SAID };
    renewed = mine.token;
    keep("session", mine);
    if (old && old.visitor_id !== mine.visitor_id) beginAnew();
    return mine.token;
  });
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
  const seen = isRead || messages.size ? lastPosition() : Number.MAX_SAFE_INTEGER;
  keep("queue", [...queue(), { id: uuid(), text, at: new Date().toISOString(), after: seen, state: "sending" }]);
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
  if (flushing || life.signal.aborted) return;
  flushing = true;
  clearTimeout(sendTimer);
  try {
    while (again) {
      again = false;
      await alone("send", drain);
    }
  } catch {
    sendTimer = setTimeout(flush, pause(sendAttempt++));
    render(); // it says that it waits
  }
  flushing = false;
};

