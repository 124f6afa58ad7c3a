import { useQueryClient } from "@tanstack/react-query";
import type { ProblemError } from "parley-client";
import { useState, type FormEvent } from "react";

import { api } from "../shared/session.ts";
import { useSpeech } from "../shared/texts.ts";

/** In place of the temporary password, which somebody else has seen. */
export function ChoosePassword() {
  const { say } = useSpeech();
  const client = useQueryClient();
  const [refusal, setRefusal] = useState("");

  async function choose(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const body = { current_password: String(given.get("current")), new_password: String(given.get("new")) };
    try {
      await api.POST("/v1/me/password", { body });
      await client.invalidateQueries();
    } catch (error) {
      setRefusal((error as ProblemError).message);
    }
  }

  return (
    <form className="card" onSubmit={(event) => void choose(event)}>
      <h1>{say("password.title")}</h1>
      <p>{say("password.why")}</p>
      <label>
        {say("password.current")}
        <input name="current" type="password" autoComplete="current-password" required autoFocus />
      </label>
      <label>
        {say("password.new")}
        <input name="new" type="password" autoComplete="new-password" minLength={10} required />
      </label>
      {refusal && <p role="alert">{refusal}</p>}
      <button className="primary">{say("password.do")}</button>
    </form>
  );
}
