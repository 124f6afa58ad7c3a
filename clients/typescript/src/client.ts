import createClient, { type Client, type Middleware } from "openapi-fetch";

import { follow, type Frame, type LiveOptions } from "./live.ts";
import { problemOf } from "./problems.ts";
import type { paths } from "./schema.d.ts";

/** The operations by method and path, as `openapi-fetch` has them. */
export type Api = Client<paths>;

export interface ParleyOptions {
  /** Where the gateway answers, such as `https://parley.example`. */
  url: string;
  /** Of a sign-in or an API token; asked for at each request, so that it may change. */
  token?: () => string | null;
  /** The language of what is told to people; the member's own without it. */
  language?: () => string | null;
}

export interface Parley {
  api: Api;
  /**
   * What the member may see, as it happens, from now on or from a cursor. It goes on by itself over lost connections.
   * Ends when `signal` is aborted; throws `ProblemError` (401) where the session is over.
   */
  live(options?: LiveOptions): AsyncGenerator<Frame, void, void>;
}

/** A client. Nothing is connected until something is asked. */
export function connect({ url, token = () => null, language = () => null }: ParleyOptions): Parley {
  const base = url.replace(/\/+$/, "");
  const api = createClient<paths>({ baseUrl: base });
  const asks: Middleware = {
    onRequest({ request }) {
      const [bearer, spoken] = [token(), language()];
      if (bearer !== null) request.headers.set("authorization", `Bearer ${bearer}`);
      if (spoken !== null) request.headers.set("accept-language", spoken);
    },
    async onResponse({ response }) {
      if (!response.ok) throw await problemOf(response);
    },
  };
  api.use(asks);
  return { api, live: (options) => follow(base, token, options) };
}

/** The data of an answer: refusals were thrown as `ProblemError` already. */
export async function dataOf<Data>(answer: Promise<{ data?: Data }>): Promise<NonNullable<Data>> {
  const { data } = await answer;
  if (data === undefined || data === null) throw new TypeError("the answer has no body");
  return data;
}

