import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { dataOf } from "parley-client";
import { Fragment, useEffect, useLayoutEffect, useRef } from "react";

import { api } from "../shared/session.ts";
import { useSpeech } from "../shared/texts.ts";
import { dayOf } from "../shared/time.ts";
import { Item } from "./item.tsx";

const PAGE = 50;
// So near to its end the timeline follows what comes.
const NEAR_PX = 120;

export function Timeline({ id }: { id: string }) {
  const { say, language } = useSpeech();
  const client = useQueryClient();
  const box = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const query = useInfiniteQuery({
    queryKey: ["conversation", id, "timeline"],
    queryFn: ({ pageParam }) => {
      const wanted = { limit: PAGE, ...(pageParam && { cursor: pageParam }) };
      return dataOf(api.GET("/v1/conversations/{id}/timeline", { params: { path: { id }, query: wanted } }));
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.next ?? undefined,
  });
  const items = (query.data?.pages ?? []).flatMap((page) => page.items).reverse();
  const newest = items.at(-1)?.id;

  useLayoutEffect(() => {
    const element = box.current;
    if (element !== null && follows.current) element.scrollTop = element.scrollHeight;
  }, [newest, items.length]);
  useEffect(() => () => void client.removeQueries({ queryKey: ["conversation", id], type: "inactive" }), [client, id]);

  let day = "";
  return (
    <div
      className="timeline"
      ref={box}
      tabIndex={0}
      role="log"
      aria-label={say("timeline")}
      onScroll={({ currentTarget: at }) => (follows.current = at.scrollHeight - at.scrollTop - at.clientHeight < NEAR_PX)}
    >
      {query.error && <p role="alert">{query.error.message}</p>}
      {query.hasNextPage && (
        <button className="quiet earlier" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          {say("timeline.earlier")}
        </button>
      )}
      {items.map((item) => {
        const itemDay = dayOf(item.at, language);
        const isNewDay = itemDay !== day;
        day = itemDay;
        return (
          <Fragment key={item.id}>
            {isNewDay && <h2 className="day">{itemDay}</h2>}
            <Item item={item} conversationId={id} quoted={items.find((one) => one.id === item.reply_to)} />
          </Fragment>
        );
      })}
    </div>
  );
}
