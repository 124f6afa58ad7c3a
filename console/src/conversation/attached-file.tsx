import { useQuery } from "@tanstack/react-query";
import type { Shape } from "parley-client";
import { useEffect, useMemo } from "react";

import { fileOf } from "../shared/session.ts";
import { useSpeech } from "../shared/texts.ts";

/** A picture is shown, a voice played; anything else is saved. */
export function AttachedFile({ file }: { file: Shape<"Attachment"> }) {
  const { say, language } = useSpeech();
  const isShown = ["image", "sticker", "voice", "audio"].includes(file.kind);
  const bytes = useQuery({
    queryKey: ["attachment", file.attachment_id],
    queryFn: () => fileOf(file.attachment_id),
    enabled: isShown,
    staleTime: Infinity,
  });
  const address = useMemo(() => (bytes.data ? URL.createObjectURL(bytes.data) : null), [bytes.data]);
  useEffect(() => () => (address !== null ? URL.revokeObjectURL(address) : undefined), [address]);
  const name = file.file_name ?? file.emoji ?? say(`attachment.${file.kind}`);
  const size =
    file.size_bytes != null
      ? new Intl.NumberFormat(language, { style: "unit", unit: "kilobyte", maximumFractionDigits: 0 }).format(Math.ceil(file.size_bytes / 1000))
      : "";

  async function save() {
    const saved = URL.createObjectURL(await fileOf(file.attachment_id));
    const link = Object.assign(document.createElement("a"), { href: saved, download: name });
    link.click();
    URL.revokeObjectURL(saved);
  }

  if (address !== null && (file.kind === "voice" || file.kind === "audio")) return <audio controls src={address} aria-label={name} />;
  if (address !== null) return <img src={address} alt={name} loading="lazy" />;
  return (
    <button className="file" onClick={() => void save()}>
      {name} {size}
    </button>
  );
}
