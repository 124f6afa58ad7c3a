import { ProblemError } from "./problems.ts";
import type { components } from "./schema.d.ts";

/** A public event of a conversation, as AsyncAPI describes it by its name in `event`. */
export interface Happened {
  type: "event";
  cursor: string;
  conversation_id: string;
  event: components["schemas"]["LiveEventName"];
  data: Record<string, unknown>;
}

/** The conversation is no longer for the member to see. */
export interface Gone {
  type: "gone";
  cursor: string;
  conversation_id: string;
}

export interface Notified {
  type: "notification";
  cursor: string;
  notification: Omit<components["schemas"]["NotificationView"], "read_at">;
}

/** `reload`: what was missed cannot be told, so the present is to be asked for. */
export type Frame = { type: "ready"; cursor: string } | { type: "reload" } | Happened | Gone | Notified;

const SIGN_IN_AGAIN = 4401;
const BAD_FIRST_FRAME = 4400;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 15_000;
// The server pings after 21 s of silence: a socket that is silent for longer is lost.
const SILENCE_MS = 50_000;

export interface LiveOptions {
  /** Where to go on: the cursor of the last frame that was seen. */
  cursor?: string;
  /** Ends it. */
  signal?: AbortSignal;
  /** Told whenever the connection is lost; `ready` or `reload` comes when it is there again. */
  lost?: () => void;
}

export async function* follow(
  base: string,
  token: () => string | null,
  { cursor, signal, lost }: LiveOptions = {},
): AsyncGenerator<Frame, void, void> {
  let from = cursor ?? null;
  let pause = FIRST_PAUSE_MS;
  while (!signal?.aborted) {
    const socket = new Frames(`${base.replace(/^http/, "ws")}/v1/live`, { token: token(), cursor: from }, signal);
    for await (const frame of socket) {
      pause = FIRST_PAUSE_MS;
      if ("cursor" in frame) from = frame.cursor;
      yield frame;
    }
    if (signal?.aborted) return;
    if (socket.code === SIGN_IN_AGAIN || socket.code === BAD_FIRST_FRAME) {
      throw new ProblemError(401, { title: "Sign in again", type: "urn:parley:problem:unauthorized" }, null);
    }
    lost?.();
    await paused(pause * (0.5 + Math.random() / 2), signal);
    pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
  }
}

/** The frames of one socket, until it closes. */
class Frames implements AsyncIterable<Frame> {
  code = 0;
  readonly #socket: WebSocket;
  readonly #waiting: Frame[] = [];
  #closed = false;
  #wake: () => void = () => {};
  #silence: ReturnType<typeof setTimeout> | undefined;

  constructor(address: string, hello: object, signal?: AbortSignal) {
    this.#socket = new WebSocket(address);
    const close = () => this.#socket.close();
    signal?.addEventListener("abort", close, { once: true });
    this.#socket.onopen = () => this.#socket.send(JSON.stringify(hello));
    this.#socket.onmessage = ({ data }) => {
      this.#heard();
      const frame = JSON.parse(String(data)) as Frame | { type: "ping" };
      if (frame.type !== "ping") this.#waiting.push(frame);
      this.#wake();
    };
    this.#socket.onclose = ({ code }) => {
      clearTimeout(this.#silence);
      signal?.removeEventListener("abort", close);
      this.code = code;
      this.#closed = true;
      this.#wake();
    };
    this.#heard();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Frame, void, void> {
    try {
      while (true) {
        const frame = this.#waiting.shift();
        if (frame !== undefined) yield frame;
        else if (this.#closed) return;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.#socket.close();
    }
  }

  #heard(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#socket.close(), SILENCE_MS);
  }
}

async function paused(ms: number, signal?: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
