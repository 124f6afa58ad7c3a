import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { Shape } from "parley-client";

import { useMay, useMe, useNames } from "../shared/member.ts";
import { api } from "../shared/session.ts";
import { useSpeech } from "../shared/texts.ts";

/** What the member may do with the case as it is now. What was refused is told in words. */
export function Actions({ conversation }: { conversation: Shape<"ConversationView"> }) {
  const { say } = useSpeech();
  const may = useMay();
  const { member } = useMe();
  const { members, groups } = useNames();
  const client = useQueryClient();
  const params = { path: { id: conversation.conversation_id } };
  const { state, responsible, offer } = conversation.case;
  const others = members.filter((one) => one.active !== false && one.member_id !== member.member_id);
  const mine = responsible === member.member_id;
  const offered = offer?.member_id === member.member_id;

  const doing = useMutation({
    mutationFn: (act: () => Promise<unknown>) => act(),
    onSettled: () => {
      void client.invalidateQueries({ queryKey: ["conversation", conversation.conversation_id] });
      void client.invalidateQueries({ queryKey: ["conversations"] });
      void client.invalidateQueries({ queryKey: ["counts"] });
    },
  });
  const button = (key: string, act: () => Promise<unknown>, className = "") => (
    <button className={className} disabled={doing.isPending} onClick={() => doing.mutate(act)}>
      {say(key)}
    </button>
  );

  return (
    <div className="actions">
      {offered && (
        <>
          {button("act.accept", () => api.POST("/v1/conversations/{id}/accept", { params }), "primary")}
          {button("act.decline", () => api.POST("/v1/conversations/{id}/decline", { params }))}
        </>
      )}
      {state === "new" && may("take") && button("act.take", () => api.POST("/v1/conversations/{id}/take", { params }), "primary")}
      {state === "active" && mine && offer == null && others.length > 0 && may("transfer") && (
        <Choice
          label={say("act.transfer")}
          among={others.map((one) => [one.member_id, one.name])}
          onChoose={(member_id) => doing.mutate(() => api.POST("/v1/conversations/{id}/transfer", { params, body: { member_id } }))}
        />
      )}
      {mine && offer != null && button("act.withdraw", () => api.POST("/v1/conversations/{id}/withdraw", { params }))}
      {state !== "done" && may("forward") && groups.length > 0 && (
        <Choice
          label={say("act.forward")}
          among={groups.map((one) => [one.group_id, one.name])}
          onChoose={(group_id) => doing.mutate(() => api.POST("/v1/conversations/{id}/forward", { params, body: { group_id } }))}
        />
      )}
      {state === "active" && may("close") && button("act.close", () => api.POST("/v1/conversations/{id}/close", { params }))}
      {state === "done" && may("reopen") && button("act.reopen", () => api.POST("/v1/conversations/{id}/reopen", { params }))}
      {doing.error && <p role="alert">{doing.error.message}</p>}
    </div>
  );
}

function Choice({ label, among, onChoose }: { label: string; among: [string, string][]; onChoose: (id: string) => void }) {
  return (
    <select value="" aria-label={label} onChange={({ target }) => target.value !== "" && onChoose(target.value)}>
      <option value="">{label}</option>
      {among.map(([id, name]) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </select>
  );
}
