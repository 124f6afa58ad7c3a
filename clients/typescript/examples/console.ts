/**
 * A console's main moves: sign in, list, follow live, take, reply, transfer, accept, close.
 *
 *     PARLEY_URL=… EMAIL=… PASSWORD=… COLLEAGUE_EMAIL=… COLLEAGUE_PASSWORD=… node examples/console.ts
 *
 * It takes the oldest case in New, hands it to the colleague, who accepts it, and closes it.
 */
import { connect, dataOf, ProblemError, type Parley, type Shape } from "../src/index.ts";

const url = process.env["PARLEY_URL"] ?? "http://127.0.0.1:8100";

async function signedIn(email = "", password = ""): Promise<{ parley: Parley; me: Shape<"SignedIn"> }> {
  let token: string | null = null;
  const parley = connect({ url, token: () => token, language: () => "en" });
  const me = await dataOf(parley.api.POST("/v1/sign-in", { body: { email, password } }));
  token = me.token;
  return { parley, me };
}

/** What a colleague does: waits for the offer, accepts it, and says good-bye. */
async function acceptAndClose(parley: Parley, ready: () => void): Promise<void> {
  const stop = new AbortController();
  for await (const frame of parley.live({ signal: stop.signal })) {
    if (frame.type === "ready") ready();
    if (frame.type !== "event") continue;
    console.log(`colleague: ${frame.event}`);
    const params = { path: { id: frame.conversation_id } };
    if (frame.event === "parley.case.transfer-offered.v1") {
      await parley.api.POST("/v1/conversations/{id}/accept", { params });
      const body = { text: "I take over from here. Good-bye!", close: true };
      await parley.api.POST("/v1/conversations/{id}/messages", { params, body });
    }
    if (frame.event === "parley.case.closed.v1") stop.abort();
  }
}

const agent = await signedIn(process.env["EMAIL"], process.env["PASSWORD"]);
const colleague = await signedIn(process.env["COLLEAGUE_EMAIL"], process.env["COLLEAGUE_PASSWORD"]);
const { promise: isReady, resolve: ready } = Promise.withResolvers<void>();
const working = acceptAndClose(colleague.parley, ready);
await isReady;

const { items } = await dataOf(agent.parley.api.GET("/v1/conversations", { params: { query: { tab: "new" } } }));
const found = items.at(-1);
if (found === undefined) throw new Error("nobody has written yet");
console.log(`${found.customer.name}: ${found.last_message?.preview ?? ""}`);

const { api } = agent.parley;
const params = { path: { id: found.conversation_id } };
await api.POST("/v1/conversations/{id}/take", { params });
try {
  await colleague.parley.api.POST("/v1/conversations/{id}/take", { params });
} catch (error) {
  if (!(error instanceof ProblemError)) throw error;
  console.log(`colleague may not take it: ${error.kind}`);
}
await api.POST("/v1/conversations/{id}/messages", { params, body: { text: `Hello ${found.customer.name}!` } });
await api.POST("/v1/conversations/{id}/transfer", { params, body: { member_id: colleague.me.member.member_id } });
await working;

const timeline = await dataOf(api.GET("/v1/conversations/{id}/timeline", { params }));
for (const item of timeline.items) console.log(item.kind, item.content?.text ?? item.text ?? "");
