// Prints what is wrong with the document that is named, and fails where anything is.
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(await readFile(process.argv[2], "utf8"));
const wrong = diagnostics.filter(({ severity }) => severity <= 1);
for (const { severity, path, message } of wrong) {
  console.error(`${severity === 0 ? "error" : "warning"} at ${path.join(".")}: ${message}`);
}
if (document === undefined || wrong.length > 0) process.exit(1);
const channels = document.channels().length;
console.log(`${channels} channels, ${document.operations().length} operations`);
