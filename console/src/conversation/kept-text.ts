/** What is typed and not sent yet, kept in this browser. */

const nameOf = (conversationId: string, mode: string) => `parley.text.${mode}.${conversationId}`;

export const keptText = (conversationId: string, mode: string): string => localStorage.getItem(nameOf(conversationId, mode)) ?? "";

export function keepText(conversationId: string, mode: string, text: string): void {
  if (text === "") localStorage.removeItem(nameOf(conversationId, mode));
  else localStorage.setItem(nameOf(conversationId, mode), text);
}
