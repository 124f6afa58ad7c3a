import type { Shape } from "parley-client";

import { useNames } from "../shared/member.ts";
import { go } from "../shared/router.ts";
import { useSpeech } from "../shared/texts.ts";
import { shortly, since } from "../shared/time.ts";

export const ROW_PX = 76;
const LATE_MS = 15 * 60_000;

export function Row({ row, top, now, isOpen }: { row: Shape<"ConversationView">; top: number; now: number; isOpen: boolean }) {
  const { say, language } = useSpeech();
  const { nameOf } = useNames();
  const { case: held, customer, last_message: last } = row;
  const path = `/conversations/${row.conversation_id}`;
  const waiting = held.waiting_since ?? null;
  return (
    <li style={{ transform: `translateY(${top}px)`, height: ROW_PX }}>
      <a
        href={path}
        aria-current={isOpen}
        className={held.unread ? "row unread" : "row"}
        onClick={(event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          go(path);
        }}
      >
        <span className={`channel ${held.channel}`} title={say(`channel.${held.channel}`)} />
        <span className="name">{customer.name || say("customer.unnamed")}</span>
        <time dateTime={last?.occurred_at ?? held.opened_at}>{shortly(last?.occurred_at ?? held.opened_at, language)}</time>
        <span className="preview">
          {last?.direction === "outgoing" && <span aria-label={say("message.ours")}>↩ </span>}
          {last?.preview}
        </span>
        <span className="facts">
          {row.has_draft && <span className="draft">{say("row.draft")}</span>}
          {held.responsible && <span>{nameOf(held.responsible)}</span>}
          {waiting !== null && (
            <span className={now - Date.parse(waiting) > LATE_MS ? "waiting late" : "waiting"} title={say("row.waiting")}>
              {since(waiting, now, language)}
            </span>
          )}
        </span>
      </a>
    </li>
  );
}
