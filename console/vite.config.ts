import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

import { texts } from "./build/texts.ts";

export default defineConfig({
  plugins: [react(), texts()],
  resolve: {
    alias: { "parley-client": fileURLToPath(new URL("../clients/typescript/src/index.ts", import.meta.url)) },
    dedupe: ["openapi-fetch"],
  },
  build: {
    target: "es2023",
    // No page of ours has anything inline: its policy refuses that.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/v1": { target: process.env["PARLEY_URL"] ?? "http://127.0.0.1:8100", ws: true } } },
});
