/** A typed client of Parley's public API: every operation of its OpenAPI document, and what happens live. */
export { connect, dataOf, type Api, type Parley, type ParleyOptions } from "./client.ts";
export { type Frame, type Happened, type LiveOptions, type Notified } from "./live.ts";
export { ProblemError } from "./problems.ts";
export type { components, operations, paths } from "./schema.d.ts";

import type { components } from "./schema.d.ts";

/** The shapes of the API by their names: `Shape<"ConversationView">`. */
export type Shape<Name extends keyof components["schemas"]> = components["schemas"][Name];
