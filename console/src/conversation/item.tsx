import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { Shape } from "parley-client";

import { useNames } from "../shared/member.ts";
import { api } from "../shared/session.ts";
import { useSpeech } from "../shared/texts.ts";
import { timeOf } from "../shared/time.ts";
import { AttachedFile } from "./attached-file.tsx";

type TimelineItem = Shape<"TimelineItem">;

/** One line of the timeline: a message, a note, or what the system tells. */
export function Item({ item, conversationId, quoted }: { item: TimelineItem; conversationId: string; quoted: TimelineItem | undefined }) {
  const { language } = useSpeech();
  const { nameOf } = useNames();
  const who = item.member_id != null ? nameOf(item.member_id) : (item.sender?.name ?? "");
  if (item.kind === "system" || item.kind === "activity") {
    return (
      <p className="told">
        {item.text} <time dateTime={item.at}>{timeOf(item.at, language)}</time>
      </p>
    );
  }
  const side = item.kind === "note" ? "note" : item.direction === "outgoing" ? "message ours" : "message theirs";
  return (
    <div className={side}>
      {who && <p className="who">{who}</p>}
      {quoted && <blockquote>{quoted.content?.text ?? quoted.text}</blockquote>}
      <Said item={item} />
      <p className="when">
        <time dateTime={item.at}>{timeOf(item.at, language)}</time>
        <Fate item={item} conversationId={conversationId} />
      </p>
    </div>
  );
}

function Said({ item }: { item: TimelineItem }) {
  const { say } = useSpeech();
  if (item.deleted_at != null) return <p className="gone">{say("message.deleted")}</p>;
  if (item.kind === "note") return <p className="text">{item.text}</p>;
  const { text, attachments, point, erased } = item.content ?? {};
  if (erased) return <p className="gone">{say("message.erased")}</p>;
  return (
    <>
      {text && <p className="text">{text}</p>}
      {attachments?.map((one) => (
        <AttachedFile key={one.attachment_id} file={one} />
      ))}
      {point && (
        <a href={`https://www.openstreetmap.org/?mlat=${point.latitude}&mlon=${point.longitude}`} target="_blank" rel="noreferrer">
          {say("message.place")}
        </a>
      )}
    </>
  );
}

/** What became of a message of ours; what failed can be sent again. */
function Fate({ item, conversationId }: { item: TimelineItem; conversationId: string }) {
  const { say } = useSpeech();
  const client = useQueryClient();
  const again = useMutation({
    mutationFn: () =>
      api.POST("/v1/conversations/{id}/messages/{message_id}/resend", {
        params: { path: { id: conversationId, message_id: item.id } },
      }),
    onSettled: () => client.invalidateQueries({ queryKey: ["conversation", conversationId] }),
  });
  if (item.edited_at != null) return <span> {say("message.edited")}</span>;
  if (item.direction !== "outgoing" || item.delivery == null) return null;
  const { state, reason } = item.delivery;
  const failed = state === "failed" || state === "uncertain";
  return (
    <span className={`delivery ${state}`}>
      {" "}
      {say(`delivery.${state}`)}
      {failed && reason ? `: ${reason}` : ""}
      {failed && (
        <button className="quiet" disabled={again.isPending} onClick={() => again.mutate()}>
          {say("message.resend")}
        </button>
      )}
      {again.error && <span role="alert"> {again.error.message}</span>}
    </span>
  );
}
