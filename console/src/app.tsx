import { QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { dataOf, ProblemError } from "parley-client";
import { useEffect, useState, useSyncExternalStore } from "react";

import { Conversation } from "./conversation/conversation.tsx";
import { Inbox } from "./inbox/inbox.tsx";
import { useLive } from "./shared/live.ts";
import { MeContext, type Me } from "./shared/member.ts";
import { usePlace } from "./shared/router.ts";
import { api, end, isSignedIn, onChange, speak } from "./shared/session.ts";
import { browsers, SpeechContext, spoken, useSpeech, type Language, type Speech } from "./shared/texts.ts";
import { ChoosePassword } from "./sign-in/choose-password.tsx";
import { SignIn } from "./sign-in/sign-in.tsx";

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // A refusal stays one; what did not answer may answer again.
      retry: (failures, error) => failures < 3 && !(error instanceof ProblemError && error.status < 500),
    },
  },
});

export function App() {
  const [speech, setSpeech] = useState<Speech | null>(null);
  const [language, setLanguage] = useState<Language>(browsers);
  useEffect(() => {
    speak(language);
    document.documentElement.lang = language;
    void spoken(language).then((say) => setSpeech({ language, say }));
  }, [language]);
  if (speech === null) return null;
  return (
    <SpeechContext value={speech}>
      <QueryClientProvider client={client}>
        <Whoever onLanguage={setLanguage} />
      </QueryClientProvider>
    </SpeechContext>
  );
}

function Whoever({ onLanguage }: { onLanguage: (language: Language) => void }) {
  const signedIn = useSyncExternalStore(onChange, isSignedIn);
  useEffect(() => {
    if (!signedIn) client.clear();
  }, [signedIn]);
  if (!signedIn) return <SignIn />;
  return <SignedIn onLanguage={onLanguage} />;
}

function SignedIn({ onLanguage }: { onLanguage: (language: Language) => void }) {
  const { say } = useSpeech();
  const me = useQuery({ queryKey: ["me"], queryFn: () => dataOf(api.GET("/v1/me")) });
  const language = me.data?.member.language ?? me.data?.workspace.language;
  useEffect(() => {
    if (language) onLanguage(language);
  }, [language, onLanguage]);
  const isOver = me.error instanceof ProblemError && me.error.status === 401;
  useEffect(() => {
    if (isOver) end();
  }, [isOver]);
  // A temporary password opens nothing but the choice of another: also not who one is.
  if (me.error instanceof ProblemError && me.error.kind === "password-is-temporary") return <ChoosePassword />;
  if (me.data?.password_is_temporary) return <ChoosePassword />;
  if (me.data) return <Workspace me={me.data} />;
  return (
    <p className="alone" role="status">
      {me.error ? me.error.message : say("loading")}
    </p>
  );
}

function Workspace({ me }: { me: Me }) {
  const { say } = useSpeech();
  const connection = useLive(client);
  const { conversationId } = usePlace();
  return (
    <MeContext value={me}>
      <div className="workspace" data-open={conversationId !== null}>
        {connection === "lost" && (
          <p className="offline" role="status">
            {say("live.lost")}
          </p>
        )}
        <Inbox />
        <main>
          {conversationId === null ? <p className="alone">{say("conversation.none")}</p> : <Conversation key={conversationId} id={conversationId} />}
        </main>
      </div>
    </MeContext>
  );
}
