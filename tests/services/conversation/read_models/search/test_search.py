"""Searching: each word somewhere in the conversation, pages, rights, forgetting."""

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from libs.aggregates.aggregate import Snapshot
from libs.events.api.filters import ConversationFilter
from libs.events.directory import GroupState, MemberState, Role
from libs.runtime.cursors import cursor_of
from libs.runtime.mongo import mongo_client
from libs.runtime.problems import Invalid
from services.conversation.read_models.search import query
from services.conversation.read_models.search.index import SEARCH, Entry
from tests.support.conversation.rows import AGENT, OWNER, START, WORKSPACE, Made, state
from tests.support.conversation.world import World
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

MINUTE = timedelta(minutes=1)


class Searched(Made):
    """Conversations with texts in them."""

    async def write(self, conversation_id: str, number: int, text: str, minutes: int = 0) -> None:
        await self.index.put([self.entry(conversation_id, number, text, minutes)])

    def entry(self, conversation_id: str, number: int, text: str, minutes: int = 0) -> Entry:
        at = START + minutes * MINUTE
        return self.entries.of_content(
            WORKSPACE, f"{conversation_id}.m{number}", conversation_id, number, at, text
        )

    async def search(
        self,
        words: str,
        viewer: MemberState = OWNER,
        limit: int = 50,
        cursor: str | None = None,
        **asked: object,
    ) -> list[str]:
        shown: list[str] = []
        filters = msgspec.convert(asked, ConversationFilter)
        while True:
            page = await self.found(words, filters, viewer, cursor=cursor, limit=limit)
            shown += [item["conversation_id"] for item in page["items"]]
            cursor = page.get("next")
            if cursor is None:
                return shown


@pytest.fixture
async def made(mongodb_url: str, mongodb_name: str) -> AsyncIterator[Searched]:
    async with mongo_client(mongodb_url, "parley-tests") as client:
        made = Searched(client[mongodb_name], GroupState(group_id="grp_1", name="G"))
        await made.begin()
        yield made


async def test_the_newest_mention_comes_first_and_each_conversation_once(made: Searched) -> None:
    await made.put(*(state(f"c{n}") for n in range(20)))
    entries = []
    for number in range(200):
        text = "хочу возврат" if number % 2 else "где доставка"
        entries.append(made.entry(f"c{number % 20}", number, text, number))
    await made.index.put(entries)
    expected = [f"c{n}" for n in range(19, 0, -2)]
    for limit in (1, 3, 10, 50):
        assert await made.search("возврата", limit=limit) == expected
    assert await made.search("доставку возврат") == []
    assert await made.search("ничего") == []


@pytest.mark.parametrize("patience_s", [60.0, 0.0], ids=["patient", "one round a request"])
async def test_no_page_skips_or_repeats_where_two_words_are_seldom_together(
    made: Searched, monkeypatch: pytest.MonkeyPatch, patience_s: float
) -> None:
    monkeypatch.setattr(query, "_PATIENCE_S", patience_s)
    await made.put(*(state(f"c{n}") for n in range(400)))
    texts = ("где доставка", "хочу возврат")
    entries = [
        made.entry(f"c{number % 400}", number, texts[number % 2], number % 97)
        for number in range(600)
    ]
    # Every eleventh of those that want their delivery wants it back as well.
    both = range(0, 400, 22)
    entries += [made.entry(f"c{number}", 1_000, texts[1], 200) for number in both]
    await made.index.put(entries)
    expected = {f"c{number}" for number in both}
    for words in ("доставку возврат", "возврат доставки"):
        for limit in (1, 7, 50):
            found = await made.search(words, limit=limit)
            assert len(found) == len(expected)
            assert set(found) == expected
    await made.write("c1", 2_000, "доставка", -1)
    assert set(await made.search("доставка возврат", limit=7)) == {*expected, "c1"}


async def test_pages_go_by_the_word_that_the_first_went_by(made: Searched) -> None:
    # given a search whose rarest word becomes the other one while somebody pages
    await made.put(*(state(f"c{n}") for n in range(90)))
    await made.index.put([made.entry(f"c{n}", n, "возврат доставки", n) for n in range(90)])
    await made.index.put([made.entry("c0", 100 + n, "доставка", n) for n in range(30)])
    page = await made.found("возврат доставка", ConversationFilter(), limit=40)
    await made.index.put([made.entry("c0", 200 + n, "возврат", n) for n in range(120)])
    assert await made.search("возврат") != []
    # when the next page is asked for
    rest = await made.search("возврат доставка", cursor=page["next"])
    # then it goes on where the first ended
    shown = [item["conversation_id"] for item in page["items"]]
    assert sorted(shown + rest) == sorted(f"c{n}" for n in range(90))
    with pytest.raises(Invalid):
        await made.search("возврат", cursor=cursor_of(query.SearchPlace(START, "m1", 1)))


async def test_each_word_may_stand_in_another_message_or_in_the_name(made: Searched) -> None:
    ivan, petr = state("a"), state("b")
    ivan = replace(ivan, customer_name="Иван Кравец")
    petr = replace(petr, customer_name="Петр", case=replace(petr.case, tags=("vip",)))
    await made.put(ivan, petr)
    await made.index.put([], [made.entries.of_state(Snapshot(1, START, s)) for s in (ivan, petr)])
    await made.write("a", 1, "сломалась кофемашина")
    await made.write("a", 2, "нужен возврат", 1)
    await made.write("b", 1, "возврат билета", 2)
    assert await made.search("возврат") == ["b", "a"]
    assert await made.search("возврат кофемашина") == ["a"]
    assert await made.search("иван возврат") == ["a"]
    assert await made.search("возврат крав") == ["a"]
    assert await made.search("vip возврат") == ["b"]
    assert await made.search("кравец билет") == []


async def test_a_search_keeps_to_the_filters_and_to_what_a_member_may_see(made: Searched) -> None:
    limited = replace(AGENT, location_ids=("loc_2",))
    await made.put(
        state("a"),
        state("b", location_id="loc_2", state="done", unread=True),
        state("c", location_id="loc_2", group_id="grp_gone"),
        state("d", state="routing", location_id="loc_2"),
        state("e", state="active", responsible=AGENT.member_id),
    )
    for number, name in enumerate("abcde"):
        await made.write(name, 1, "возврат", -number)
    assert await made.search("возврат") == ["a", "b", "c", "e"]
    assert await made.search("возврат", limited) == ["b", "e"]
    assert await made.search("возврат", open=True) == ["a", "c", "e"]
    assert await made.search("возврат", unread=True) == ["b"]
    assert await made.search("возврат", location="loc_2", open=False) == ["b"]


async def test_a_tab_and_filters_that_exclude_each_other_are_not_searched_for(
    made: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "_PATIENCE_S", 0.0)
    await made.put(*(state(f"c{n}") for n in range(90)))
    await made.index.put([made.entry(f"c{n}", n, "доставка", n) for n in range(90)])
    filters = ConversationFilter(open=True)
    page = await made.found("доставка", filters, tab="done", limit=1)
    assert page == {"items": []}


async def test_what_was_forgotten_stays_so_however_late_a_copy_comes(made: Searched) -> None:
    await made.put(state("a"), state("b"))
    for name in ("a", "b"):
        await made.write(name, 1, "возврат")
    await made.index.forget({"a": 5})
    assert await made.search("возврат") == ["b"]
    await made.write("a", 1, "возврат")
    head = made.entries.of_state(Snapshot(1, START, state("a")))
    await made.index.put([], [head])
    assert await made.search("возврат") == ["b"]
    assert await made.rows.database[SEARCH].count_documents({"c": "a"}) == 0
    # what was written afterwards is found
    await made.write("a", 9, "снова возврат", 1)
    assert await made.search("возврат") == ["a", "b"]


async def test_a_changed_text_is_found_by_its_newest_words(made: Searched) -> None:
    await made.put(state("a"))
    await made.write("a", 1, "возврат")
    await made.index.put([], [made.entry("a", 3, "доставка")])
    newest = replace_id(made.entry("a", 5, "обмен"), "a.m1")
    stale = replace_id(made.entry("a", 4, "скидка"), "a.m1")
    await made.index.put([], [newest])
    await made.index.put([], [stale])
    assert await made.search("обмен") == ["a"]
    assert await made.search("возврат") == await made.search("скидка") == []


def replace_id(entry: Entry, row_id: str) -> Entry:
    return Entry(row_id, entry.conversation_id, entry.version, entry.at, entry.found)


async def test_a_query_needs_a_word(made: Searched) -> None:
    with pytest.raises(Invalid):
        await made.search(" ?? ")


async def test_what_customers_and_the_team_write_is_found(served: World) -> None:
    dima = await served.member("Dima", Role.OWNER)
    message = served.inbound("77", 1, "Верните, пожалуйста, деньги за кофеварку")
    await served.receive(message, served.inbound("78", 1, "где моя кофеварка"))
    conversation_id = served.conversation_id("77")
    view = await served.seen(dima, conversation_id)
    note = {"text": "клиент постоянный"}
    await served.call(dima, "POST", f"/v1/conversations/{conversation_id}/notes", note)

    async def finds(query: str, *threads: str) -> None:
        async def found() -> bool:
            answer = await served.call(dima, "GET", "/v1/conversations", query={"q": query})
            ids = {item["conversation_id"] for item in answer.body["items"]}
            return ids == {served.conversation_id(thread) for thread in threads}

        await eventually(found)

    await finds("деньгами", "77")
    await finds("кофеварки", "77", "78")
    await finds("постоянн", "77")
    await finds("Customer 78", "78")
    await finds(f"#{view['case']['short_number']}", "77")
    await served.receive(served.inbound("77", 1, "уже не надо", kind="edit"))
    await finds("кофеварки", "78")
    wrong = await served.call(dima, "GET", "/v1/conversations", query={"q": "!"})
    assert wrong.status == 422
    assert wrong.body["errors"][0]["field"] == "q"
