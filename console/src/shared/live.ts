/** Keeps what the pages show as new as what happens. */
import type { QueryClient } from "@tanstack/react-query";
import { ProblemError } from "parley-client";
import { useEffect, useState } from "react";

import { end, parley } from "./session.ts";

// Events come in bursts: the lists are asked for once for all of them.
const GATHERED_MS = 150;

export type Connection = "connecting" | "live" | "lost";

/** Follows the live events while the page is open, and tells how the connection is. */
export function useLive(client: QueryClient): Connection {
  const [connection, setConnection] = useState<Connection>("connecting");
  useEffect(() => {
    const stop = new AbortController();
    const lists = gathered(() => {
      void client.invalidateQueries({ queryKey: ["conversations"] });
      void client.invalidateQueries({ queryKey: ["counts"] });
    });
    const lost = () => setConnection("lost");
    addEventListener("offline", lost);
    void (async () => {
      try {
        for await (const frame of parley.live({ signal: stop.signal, lost })) {
          if (frame.type === "ready") setConnection("live");
          if (frame.type === "reload") void client.invalidateQueries();
          if (frame.type === "event" || frame.type === "gone") {
            void client.invalidateQueries({ queryKey: ["conversation", frame.conversation_id] });
            lists();
          }
          if (frame.type === "notification") void client.invalidateQueries({ queryKey: ["notifications"] });
        }
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
        end();
      }
    })();
    return () => {
      removeEventListener("offline", lost);
      stop.abort();
    };
  }, [client]);
  return connection;
}

function gathered(work: () => void): () => void {
  let waiting: ReturnType<typeof setTimeout> | undefined;
  return () => {
    waiting ??= setTimeout(() => {
      waiting = undefined;
      work();
    }, GATHERED_MS);
  };
}
