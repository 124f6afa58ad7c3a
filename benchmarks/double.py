"""The Bot API's double in a process of its own; see ``child.py`` for how it is talked to.

    python -m benchmarks.double TOKEN CHATS

Each line that it prints when asked is a JSON object: the webhook that ingest registered, and how
many messages ingest has sent. So many chats have written to the bot.
"""

import asyncio
import json
import sys

from benchmarks.updates import FIRST_CHAT
from parley.doubles.bot_api import BotApiDouble


async def serve(token: str, chats: int) -> None:
    async with BotApiDouble() as double:
        bot = double.add_bot(token)
        bot.chats.update(range(FIRST_CHAT, FIRST_CHAT + chats))
        print(double.url, flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps({"webhook": bot.webhook, "sent": len(bot.sent)}), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
