import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { dataOf, ProblemError } from "parley-client";
import { useEffect } from "react";

import { useMay } from "../shared/member.ts";
import { go } from "../shared/router.ts";
import { api } from "../shared/session.ts";
import { useSpeech } from "../shared/texts.ts";
import { Actions } from "./actions.tsx";
import { Composer } from "./composer.tsx";
import { Timeline } from "./timeline.tsx";

export function Conversation({ id }: { id: string }) {
  const { say } = useSpeech();
  const may = useMay();
  const client = useQueryClient();
  const params = { path: { id } };
  const query = useQuery({
    queryKey: ["conversation", id, "case"],
    queryFn: () => dataOf(api.GET("/v1/conversations/{id}", { params })),
  });
  const read = useMutation({
    mutationFn: () => api.POST("/v1/conversations/{id}/read", { params }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["counts"] }),
  });
  const { mutate } = read;
  const isUnread = query.data?.case.unread === true && may("mark") && document.visibilityState === "visible";
  useEffect(() => {
    if (isUnread) mutate();
  }, [isUnread, mutate]);

  if (query.error) {
    const isGone = query.error instanceof ProblemError && query.error.status === 404;
    return (
      <p className="alone" role="alert">
        {isGone ? say("conversation.gone") : query.error.message}
      </p>
    );
  }
  if (!query.data) return <p className="alone">{say("loading")}</p>;
  const { case: held, customer } = query.data;
  return (
    <article className="conversation" aria-label={customer.name}>
      <header>
        <button className="quiet back" onClick={() => go("/")} aria-label={say("back")}>
          ←
        </button>
        <div>
          <h1>{customer.name || say("customer.unnamed")}</h1>
          <p>
            {say("case.number", { number: held.short_number ?? 0 })} · {say(`channel.${held.channel}`)} · {say(`state.${held.state}`)}
          </p>
        </div>
        <Actions conversation={query.data} />
      </header>
      <Timeline id={id} />
      <Composer conversation={query.data} />
    </article>
  );
}
