import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { dataOf, type Shape } from "parley-client";
import { useEffect, useRef, useState } from "react";

import { useMe } from "../shared/member.ts";
import { go, usePlace } from "../shared/router.ts";
import { api, end } from "../shared/session.ts";
import { useSpeech } from "../shared/texts.ts";
import { useNow } from "../shared/time.ts";
import { Row, ROW_PX } from "./row.tsx";

const TABS = ["new", "mine", "others", "unread", "important", "done"] as const;
type Tab = (typeof TABS)[number];
const PAGE = 50;
// So many rows before its end, the next page of a list is asked for.
const AHEAD = 15;

export function Inbox() {
  const { say } = useSpeech();
  const place = usePlace();
  const [tab, setTab] = useState<Tab>(TABS.find((one) => one === place.tab) ?? "new");
  const [q, setQ] = useState("");
  const counts = useQuery({ queryKey: ["counts"], queryFn: () => dataOf(api.GET("/v1/conversations/counts")) });
  return (
    <aside className="inbox" aria-label={say("inbox")}>
      <Member />
      <input
        type="search"
        className="search"
        value={q}
        onChange={({ target }) => setQ(target.value)}
        placeholder={say("inbox.search")}
        aria-label={say("inbox.search")}
      />
      <div className="tabs" role="tablist">
        {TABS.map((one) => (
          <button key={one} role="tab" aria-selected={tab === one && q === ""} onClick={() => (setTab(one), setQ(""))}>
            {say(`tab.${one}`)}
            {counts.data !== undefined && one !== "done" && <span className="count">{counts.data[one]}</span>}
          </button>
        ))}
      </div>
      <List tab={tab} q={useSettled(q.trim())} />
    </aside>
  );
}

function Member() {
  const { say } = useSpeech();
  const { member } = useMe();
  const client = useQueryClient();
  async function signOut() {
    try {
      await api.POST("/v1/sign-out");
    } finally {
      client.clear();
      end();
    }
  }
  return (
    <header className="member">
      <strong>{member.name}</strong>
      <button className="quiet" onClick={() => void signOut()}>
        {say("sign-out")}
      </button>
    </header>
  );
}

function List({ tab, q }: { tab: Tab; q: string }) {
  const { say } = useSpeech();
  const { conversationId } = usePlace();
  const now = useNow();
  const box = useRef<HTMLDivElement>(null);
  const query = useInfiniteQuery({
    queryKey: ["conversations", q === "" ? tab : "", q],
    queryFn: ({ pageParam }) => {
      const wanted = { limit: PAGE, ...(pageParam && { cursor: pageParam }), ...(q === "" ? { tab } : { q }) };
      return dataOf(api.GET("/v1/conversations", { params: { query: wanted } }));
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.next ?? undefined,
  });
  const rows = (query.data?.pages ?? []).flatMap((page) => page.items);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    getItemKey: (index) => rows[index]?.conversation_id ?? index,
    overscan: 8,
  });
  const shown = virtual.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && last >= rows.length - AHEAD) void fetchNextPage();
  }, [last, rows.length, hasNextPage, isFetchingNextPage, fetchNextPage]);
  useKeys(rows, conversationId, (index) => virtual.scrollToIndex(index));

  return (
    <div className="rows" ref={box} role="tabpanel">
      {query.error && <p role="alert">{query.error.message}</p>}
      {query.isSuccess && rows.length === 0 && <p className="alone">{say(q === "" ? `tab.${tab}.empty` : "inbox.nothing-found")}</p>}
      <ul style={{ height: virtual.getTotalSize() }}>
        {shown.map(({ index, key, start }) => {
          const row = rows[index];
          return row && <Row key={key} row={row} top={start} now={now} isOpen={row.conversation_id === conversationId} />;
        })}
      </ul>
    </div>
  );
}

/** j and k go to the next and the previous conversation of the list. */
function useKeys(rows: Shape<"ConversationView">[], open: string | null, shown: (index: number) => void) {
  useEffect(() => {
    function pressed({ key, target, ctrlKey, metaKey, altKey }: KeyboardEvent) {
      const isWriting = target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
      if (isWriting || ctrlKey || metaKey || altKey || (key !== "j" && key !== "k")) return;
      const at = rows.findIndex((row) => row.conversation_id === open);
      const next = at === -1 ? 0 : at + (key === "j" ? 1 : -1);
      const row = rows[next];
      if (row === undefined) return;
      go(`/conversations/${row.conversation_id}`);
      shown(next);
    }
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [rows, open, shown]);
}

/** What is typed, once the typing pauses. */
function useSettled(typed: string): string {
  const [settled, setSettled] = useState(typed);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(typed), typed === "" ? 0 : 250);
    return () => clearTimeout(timer);
  }, [typed]);
  return settled;
}
