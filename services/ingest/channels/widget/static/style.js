// How it looks. A constructed sheet, because a page's policy may forbid style elements.
const STYLE = `
:host { all: initial; --beside: 0; --accent: #4f46e5; --on-accent: #fff; --page: #fff; --soft: #f3f4f8; --text: #16181d;
  --dim: #646b78; --line: #e6e8ee; --warn: #b42318; --warn-soft: #fef3f2; --shadow: 0 12px 48px rgb(15 20 40 / .22);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :host { --page: #17191f; --soft: #252932; --text: #eef0f4; --dim: #9aa2b1;
  --line: #2d323c; --warn: #ff9d92; --warn-soft: #3a1d1a; --shadow: 0 12px 48px rgb(0 0 0 / .6); } }
*, ::before, ::after { box-sizing: border-box; }
[hidden] { display: none !important; }
button, textarea { font: inherit; color: inherit; border: 0; background: none; margin: 0; padding: 0; }
button { cursor: pointer; }
:focus { outline: none; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
svg { display: block; width: 24px; height: 24px; fill: none; stroke: currentColor; stroke-width: 2;
  stroke-linecap: round; stroke-linejoin: round; }
.launcher { position: fixed; z-index: 2147483000; right: calc(max(20px, env(safe-area-inset-right)) + var(--beside) * 72px);
  bottom: max(20px, env(safe-area-inset-bottom)); width: 60px; height: 60px; border-radius: 50%;
  display: grid; place-items: center; color: var(--on-accent); background: var(--accent);
  box-shadow: 0 6px 24px rgb(15 20 40 / .28); transition: transform .15s; }
.launcher:hover { transform: scale(1.06); }
.launcher svg { width: 28px; height: 28px; }
.launcher[aria-expanded="true"] .talk, .launcher[aria-expanded="false"] .fold { display: none; }
.badge { position: absolute; top: -2px; right: -2px; min-width: 22px; height: 22px; padding: 0 6px; border-radius: 11px;
  background: #cf2b31; color: #fff; font-size: 12px; font-weight: 700; line-height: 22px; text-align: center; }
.panel { position: fixed; z-index: 2147483000; right: 20px; bottom: 96px; width: 384px; height: min(620px, calc(100vh - 120px));
  display: flex; flex-direction: column; overflow: hidden; border-radius: 18px; background: var(--page); color: var(--text);
  box-shadow: var(--shadow); animation: rise .18s ease-out; }
@keyframes rise { from { opacity: 0; transform: translateY(14px) scale(.98); } }
header { display: flex; align-items: center; gap: 12px; padding: 16px 14px 16px 20px; color: var(--on-accent);
  background: var(--accent) linear-gradient(120deg, transparent 40%, rgb(0 0 0 / .16)); }
header div { flex: 1; min-width: 0; }
h2 { margin: 0; font-size: 17px; font-weight: 650; line-height: 1.3; }
.status { margin: 2px 0 0; font-size: 13px; opacity: .88; }
.status::before { content: ""; display: inline-block; width: 8px; height: 8px; margin-right: 7px; border-radius: 50%; background: #4ade80; }
.offline .status::before { background: #fbbf24; }
.close { width: 36px; height: 36px; border-radius: 10px; display: grid; place-items: center; }
.close:hover { background: rgb(255 255 255 / .16); }
.close:focus-visible { outline-color: currentColor; outline-offset: -3px; }
.log { flex: 1; overflow-y: auto; overscroll-behavior: contain; padding: 18px 16px; display: flex; flex-direction: column; }
.log > :first-child { margin-top: auto; }
.hello { margin: auto; padding: 0 24px 24px; text-align: center; text-wrap: balance; color: var(--dim); }
.hello b { display: block; margin-bottom: 6px; font-size: 20px; font-weight: 650; color: var(--text); }
.day { align-self: center; margin: 10px 0 12px; font-size: 12px; color: var(--dim); }
.day::first-letter { text-transform: uppercase; }
.row { display: flex; flex-direction: column; align-items: flex-start; max-width: 84%; margin-bottom: 10px; }
.row.mine { align-self: flex-end; align-items: flex-end; }
.bubble { padding: 9px 13px; border-radius: 16px 16px 16px 5px; background: var(--soft); white-space: pre-wrap; overflow-wrap: anywhere; }
.mine .bubble { border-radius: 16px 16px 5px 16px; background: var(--accent); color: var(--on-accent); }
.sending .bubble { opacity: .72; }
.failed .bubble { background: var(--warn-soft); color: var(--warn); }
.bubble a { color: inherit; text-decoration: underline; text-underline-offset: 2px; }
.file { display: flex; align-items: center; gap: 6px; font-weight: 600; text-align: start; border-radius: 3px; }
.file:hover { text-decoration: underline; text-underline-offset: 2px; }
.file:disabled { opacity: .6; }
.file + span { font-size: 12px; }
.file svg { flex: none; width: 18px; height: 18px; }
.meta { margin: 4px 5px 0; font-size: 12px; line-height: 1.3; color: var(--dim); }
.failed .meta { color: var(--warn); }
.meta button { font-weight: 600; text-decoration: underline; text-underline-offset: 2px; border-radius: 3px; }
form { display: flex; align-items: flex-end; gap: 10px; padding: 12px 12px max(12px, env(safe-area-inset-bottom)) 16px; border-top: 1px solid var(--line); }
textarea { flex: 1; min-width: 0; max-height: 132px; padding: 9px 0; resize: none; font-size: 16px; line-height: 22px; }
textarea::placeholder { color: var(--dim); opacity: 1; }
textarea:focus-visible { outline: none; }
form:focus-within { box-shadow: inset 0 2px var(--accent); }
.send { flex: none; width: 40px; height: 40px; border-radius: 12px; display: grid; place-items: center;
  color: var(--on-accent); background: var(--accent); transition: opacity .15s; }
.send:disabled { opacity: .35; cursor: default; }
.send svg { width: 20px; height: 20px; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 480px) {
  .panel { inset: 0; width: auto; height: 100vh; height: 100dvh; border-radius: 0; }
  header { padding-top: max(16px, env(safe-area-inset-top)); }
  .panel:not([hidden]) ~ .launcher { display: none; }
}
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
`;
