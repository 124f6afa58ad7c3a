const script = document.currentScript || document.querySelector("script[data-source][src*='widget.js']");
if (!script || !script.dataset.source || !script.src) throw new Error("the script needs its own address and data-source");
const { source, userId = "", userHash = "", name, email, title, color } = script.dataset;
const server = new URL(script.src).origin;
const asked = script.dataset.language || document.documentElement.lang || navigator.language || "";
const language = asked.slice(0, 2).toLowerCase() in TEXTS ? asked.slice(0, 2).toLowerCase() : "en";
const t = TEXTS[language];
const said = { language, name, email, identity: userId ? { user_id: userId, hash: userHash, name: name || "" } : undefined };
const SAID = JSON.stringify(said);

// One widget a source, however often a page runs this script. Known by a symbol, so that no name of ours is in the page's way.
const widgets = (window[Symbol.for("parley.widgets")] ??= {});
const before = widgets[source];
if (before && before.said === SAID) return before.attach();
if (before) before.end(); // somebody else has signed in
const life = new AbortController();
const on = (target, kind, handler) => target.addEventListener(kind, handler, { signal: life.signal });
