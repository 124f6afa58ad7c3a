import { readFile } from "node:fs/promises";

import { po } from "gettext-parser";
import type { Plugin } from "vite";

/** Makes a `.po` file a module: its texts by their keys, those of plurals as the forms that the language has. */
export function texts(): Plugin {
  return {
    name: "texts",
    async load(id) {
      if (!id.endsWith(".po")) return null;
      const { translations } = po.parse(await readFile(id));
      const told: Record<string, string | string[]> = {};
      for (const [key, { msgstr }] of Object.entries(translations[""] ?? {})) {
        if (key === "") continue;
        if (msgstr.some((form) => form === "")) this.error(`${id}: ${key} says nothing`);
        told[key] = msgstr.length === 1 ? (msgstr[0] as string) : msgstr;
      }
      return `export default ${JSON.stringify(told)};`;
    },
  };
}
