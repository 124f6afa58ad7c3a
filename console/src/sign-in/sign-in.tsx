import { dataOf, type ProblemError } from "parley-client";
import { useState, type FormEvent } from "react";

import { api, begin } from "../shared/session.ts";
import { useSpeech } from "../shared/texts.ts";

/** By e-mail and password. */
export function SignIn() {
  const { say } = useSpeech();
  const [refusal, setRefusal] = useState("");
  const [busy, setBusy] = useState(false);

  async function signIn(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const body = { email: String(given.get("email")).trim(), password: String(given.get("password")) };
    setBusy(true);
    try {
      begin((await dataOf(api.POST("/v1/sign-in", { body }))).token);
    } catch (error) {
      setRefusal((error as ProblemError).message);
      setBusy(false);
    }
  }

  return (
    <form className="card" onSubmit={(event) => void signIn(event)}>
      <h1>Parley</h1>
      <label>
        {say("sign-in.email")}
        <input name="email" type="email" autoComplete="username" required autoFocus />
      </label>
      <label>
        {say("sign-in.password")}
        <input name="password" type="password" autoComplete="current-password" required />
      </label>
      {refusal && <p role="alert">{refusal}</p>}
      <button className="primary" disabled={busy}>
        {say("sign-in.do")}
      </button>
    </form>
  );
}
