import { useMutation, useQueryClient } from "@tanstack/react-query";
import { dataOf, type Shape } from "parley-client";
import { useEffect, useRef, useState } from "react";

import { useMay, useMe } from "../shared/member.ts";
import { api } from "../shared/session.ts";
import { useSpeech } from "../shared/texts.ts";
import { keptText, keepText } from "./kept-text.ts";

type Mode = "answer" | "note";

/** Writes an answer or a note. Nothing typed is lost: it stays until the server has it, also over a reload. */
export function Composer({ conversation }: { conversation: Shape<"ConversationView"> }) {
  const { say } = useSpeech();
  const may = useMay();
  const { member } = useMe();
  const client = useQueryClient();
  const id = conversation.conversation_id;
  const { state, responsible, participants } = conversation.case;
  const mayAnswer = may("answer") && state === "active" && (responsible === member.member_id || (participants ?? []).includes(member.member_id));
  const [chosen, setMode] = useState<Mode>("answer");
  const mode: Mode = mayAnswer ? chosen : "note";
  const [text, setText] = useState(() => keptText(id, mode));
  const [files, setFiles] = useState<File[]>([]);
  const field = useRef<HTMLTextAreaElement>(null);
  // Of one text: where the answer to it was lost, the same is sent again and done once.
  const key = useRef(crypto.randomUUID());
  useEffect(() => setText(keptText(id, mode)), [id, mode]);

  const sending = useMutation({
    mutationFn: async ({ close }: { close: boolean }) => {
      const params = { path: { id }, header: { "Idempotency-Key": key.current } };
      if (mode === "note") {
        await api.POST("/v1/conversations/{id}/notes", { params, body: { text } });
        return;
      }
      const attachments = await Promise.all(files.map(uploaded));
      await api.POST("/v1/conversations/{id}/messages", { params, body: { text, attachments, close } });
    },
    onSuccess: () => {
      key.current = crypto.randomUUID();
      keepText(id, mode, "");
      setText("");
      setFiles([]);
      field.current?.focus();
    },
    onSettled: () => {
      void client.invalidateQueries({ queryKey: ["conversation", id] });
      void client.invalidateQueries({ queryKey: ["conversations"] });
    },
  });
  const isEmpty = text.trim() === "" && (mode === "note" || files.length === 0);
  const send = (close = false) => {
    if (!isEmpty && !sending.isPending) sending.mutate({ close });
  };

  if (!mayAnswer && !may("note")) return null;
  return (
    <form
      className={`composer in-${mode}`}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div className="modes" role="radiogroup" aria-label={say("composer.mode")}>
        {(["answer", "note"] as const).map((one) => (
          <label key={one}>
            <input type="radio" name="mode" checked={mode === one} disabled={one === "answer" && !mayAnswer} onChange={() => setMode(one)} />
            {say(`composer.${one}`)}
          </label>
        ))}
        {!mayAnswer && <span className="why">{say(state === "new" ? "composer.take-first" : "composer.not-yours")}</span>}
      </div>
      <textarea
        ref={field}
        value={text}
        rows={3}
        aria-label={say(`composer.${mode}`)}
        placeholder={say(`composer.${mode}.hint`)}
        onChange={({ target }) => {
          setText(target.value);
          keepText(id, mode, target.value);
          key.current = crypto.randomUUID();
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
          event.preventDefault();
          send();
        }}
      />
      {files.map((file) => (
        <p key={file.name} className="attached">
          {file.name}
          <button type="button" className="quiet" aria-label={say("composer.detach", { name: file.name })} onClick={() => setFiles(files.filter((one) => one !== file))}>
            ×
          </button>
        </p>
      ))}
      {sending.error && <p role="alert">{sending.error.message}</p>}
      <div className="send">
        {mode === "answer" && (
          <label className="quiet">
            {say("composer.attach")}
            <input type="file" multiple hidden onChange={({ target }) => setFiles([...files, ...(target.files ?? [])])} />
          </label>
        )}
        {mode === "answer" && may("close") && (
          <button type="button" disabled={isEmpty || sending.isPending} onClick={() => send(true)}>
            {say("composer.send-and-close")}
          </button>
        )}
        <button className="primary" disabled={isEmpty || sending.isPending}>
          {say(mode === "answer" ? "composer.send" : "composer.add-note")}
        </button>
      </div>
    </form>
  );
}

/** The id of a file that a message may carry. */
async function uploaded(file: File): Promise<string> {
  const answer = await dataOf(
    api.POST("/v1/attachments", {
      params: { query: { file_name: file.name } },
      body: file as unknown as string,
      bodySerializer: (body: unknown) => body as BodyInit,
      headers: { "content-type": file.type || "application/octet-stream" },
    }),
  );
  return answer.attachment_id;
}
