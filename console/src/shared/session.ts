/** Who is signed in in this browser: the token of the sign-in, kept until it is signed out or refused. */
import { connect, type Parley } from "parley-client";

const KEY = "parley.session";
const ended = new Set<() => void>();

let token = localStorage.getItem(KEY);
let language: string | null = null;

// Another tab of the same browser has signed in or out.
addEventListener("storage", ({ key, newValue }) => {
  if (key !== KEY) return;
  token = newValue;
  for (const tell of ended) tell();
});

export const parley: Parley = connect({ url: location.origin, token: () => token, language: () => language });
export const api = parley.api;

export const isSignedIn = (): boolean => token !== null;

export function begin(given: string): void {
  token = given;
  localStorage.setItem(KEY, given);
  for (const tell of ended) tell();
}

export function end(): void {
  token = null;
  localStorage.removeItem(KEY);
  for (const tell of ended) tell();
}

/** `tell` is called when somebody has signed in or out, here or in another tab. */
export function onChange(tell: () => void): () => void {
  ended.add(tell);
  return () => ended.delete(tell);
}

/** What is told to people comes in this language. */
export function speak(spoken: string): void {
  language = spoken;
}

/** A file's bytes, which want the token: no picture's address can carry it. */
export async function fileOf(attachmentId: string): Promise<Blob> {
  const answer = await fetch(`/v1/attachments/${encodeURIComponent(attachmentId)}`, {
    headers: { authorization: `Bearer ${token ?? ""}` },
  });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer.blob();
}
