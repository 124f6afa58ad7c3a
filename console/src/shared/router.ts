/** Where the page is: `/`, `/tabs/{tab}` and `/conversations/{id}`. */
import { useSyncExternalStore } from "react";

const moved = new Set<() => void>();
addEventListener("popstate", () => moved.forEach((tell) => tell()));

export interface Place {
  tab: string | null;
  conversationId: string | null;
}

export function go(path: string): void {
  history.pushState(null, "", path);
  for (const tell of moved) tell();
}

export function usePlace(): Place {
  const path = useSyncExternalStore(
    (tell) => {
      moved.add(tell);
      return () => moved.delete(tell);
    },
    () => location.pathname + location.search,
  );
  const url = new URL(path, location.origin);
  const conversation = /^\/conversations\/([\w-]+)$/.exec(url.pathname);
  return { tab: url.searchParams.get("tab"), conversationId: conversation?.[1] ?? null };
}
