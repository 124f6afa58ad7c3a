// ---- What this browser keeps. Each signed-in user has a place of their own in it. ----
// The site's store is for all tabs and visits. Where it is blocked, full or cleared, the tab's own, which lives through a
// reload, and this page's memory still have what they had: one customer a tab at the least.
const memory = {};
const place = (key) => `parley:${source}:${userId}:${key}`;
const STORES = [() => localStorage, () => sessionStorage];
const read = (store, key) => {
  try {
    return JSON.parse(store().getItem(place(key)));
  } catch {
    return null; // blocked, or not ours
  }
};
const load = (key, otherwise = null) => (memory[key] = read(STORES[0], key) ?? memory[key] ?? read(STORES[1], key) ?? otherwise);
const keep = (key, value) => {
  memory[key] = value;
  for (const store of STORES) {
    try {
      store().setItem(place(key), JSON.stringify(value));
    } catch {
      try {
        store().removeItem(place(key)); // it would be taken for the new one
      } catch { /* blocked: the next has it, or memory */ }
    }
  }
};
const queue = () => {
  const kept = load("queue", []);
  return Array.isArray(kept) ? kept : [];
};
const changeItem = (id, change) => keep("queue", queue().map((item) => (item.id === id ? { ...item, ...change } : item)));

// One after another; in all tabs, which keep one store, where the browser can (only pages by https) and does not refuse.
const turns = {};
const LOCK_MS = 30000; // longer than any request: who holds it so long was put to sleep
const alone = async (key, work) => {
  let begun = false;
  const begin = () => {
    begun = true;
    return work();
  };
  const waiting = new AbortController();
  const timer = setTimeout(() => waiting.abort(), LOCK_MS);
  try {
    if (navigator.locks) return await navigator.locks.request(place(key), { signal: waiting.signal }, begin);
  } catch (error) {
    if (begun) throw error;
  } finally {
    clearTimeout(timer);
  }
  return (turns[key] = (turns[key] || Promise.resolve()).catch(() => {}).then(begin));
};
