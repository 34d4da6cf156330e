"""What anybody called an address, and what each client had learnt of it."""

import numpy as np
import pytest

from wirecover.capture.flows import names as module
from wirecover.capture.flows.names import FRESH_NS, MAX_PER_ADDRESS, NameBook, asked, fresh

CLIENT, SERVER = "10.0.0.1", "192.0.2.7"
SECOND = 1_000_000_000


def halves(ip: str) -> tuple[object, object]:
    return module._halves(ip)[1:]


def learnt(book: NameBook, client: str = CLIENT, server: str = SERVER) -> tuple[tuple[str, int], ...]:
    while (at := asked(book.arrays, 4, *halves(client), *halves(server))) < 0:
        book.make_room(np.zeros(0, np.int64))
    return book.names_at(at)


def rows(book: NameBook) -> list[tuple[object, ...]]:
    return list(zip(*(column.to_pylist() for column in book.columns()), strict=True))


def test_a_name_is_known_from_its_first_frame_to_its_last_time() -> None:
    book = NameBook()
    book.note(SERVER, "a.example", "dns", 5, 50, 500)
    book.note(SERVER, "a.example", "dns", 3, 30, 600)
    book.note(SERVER, "a.example", "dns", 7, 70, 400)
    book.note(SERVER, "a.example", "sni", 8, 80, 800)
    assert rows(book) == [
        (SERVER, "a.example", 400, 600, "dns", 3, 30),
        (SERVER, "a.example", 800, 800, "sni", 8, 80),
    ]


def test_the_rows_are_in_order_of_address_and_name() -> None:
    book = NameBook(seed=77)
    for ip, name in ((SERVER, "b"), ("2001:db8::1", "z"), (CLIENT, "c"), (SERVER, "a")):
        book.note(ip, name, "dns", 0, 1, 1)
    assert [row[:2] for row in rows(book)] == [
        (CLIENT, "c"), (SERVER, "a"), (SERVER, "b"), ("2001:db8::1", "z"),
    ]  # fmt: skip


def test_a_client_knows_what_it_was_told_itself_the_latest_last() -> None:
    book = NameBook()
    book.learn(CLIENT, SERVER, "old.example", 1)
    book.learn(CLIENT, SERVER, "new.example", 2)
    book.learn(CLIENT, SERVER, "old.example", 3)
    assert learnt(book) == (("new.example", 2), ("old.example", 3))
    assert learnt(book, "10.0.0.2") == ()


def test_what_a_flow_was_given_does_not_change_when_more_is_learnt() -> None:
    book = NameBook()
    book.learn(CLIENT, SERVER, "one.example", 1)
    at = asked(book.arrays, 4, *halves(CLIENT), *halves(SERVER))
    book.learn(CLIENT, SERVER, "two.example", 2)
    assert book.names_at(at) == (("one.example", 1),)
    assert learnt(book) == (("one.example", 1), ("two.example", 2))


def test_the_oldest_of_too_many_names_gives_way() -> None:
    book = NameBook()
    for i in range(MAX_PER_ADDRESS + 2):
        book.learn(CLIENT, SERVER, f"n{i}.example", i)
    assert learnt(book) == tuple((f"n{i}.example", i) for i in range(2, MAX_PER_ADDRESS + 2))


def test_lists_that_flows_need_survive_the_making_of_room() -> None:
    book = NameBook()
    book.learn(CLIENT, SERVER, "kept.example", 1)
    held = np.array([0, asked(book.arrays, 4, *halves(CLIENT), *halves(SERVER))], np.int64)
    for i in range(2000):
        book.learn(CLIENT, SERVER, f"later{i % 20}.example", i)
        while (at := asked(book.arrays, 4, *halves(CLIENT), *halves(SERVER))) < 0:
            book.make_room(held)
        assert at > 0
    assert held[0] == 0
    assert book.names_at(int(held[1])) == (("kept.example", 1),)
    assert len(book.arrays.lists) < 2000 * MAX_PER_ADDRESS


def test_the_half_not_told_for_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LEARNT", 1 << 10)
    book = NameBook()
    for i in range((1 << 10) + 1):
        book.learn(f"10.1.{i >> 8}.{i & 255}", SERVER, "a.example", i)
    assert learnt(book, "10.1.0.0") == ()
    assert learnt(book, "10.1.4.0") == (("a.example", 1024),)


def test_names_that_make_room_are_written_and_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_NAMES", 1 << 10)
    spilt = []
    book = NameBook(spill=lambda columns: spilt.append(columns[0].to_pylist()))
    for i in range(3000):
        book.note(f"10.1.{i >> 8}.{i & 255}", "a.example", "dns", 0, i, i)
    written = [ip for part in spilt for ip in part]
    assert len(spilt) > 1
    assert sorted(written + [row[0] for row in rows(book)]) == sorted(
        f"10.1.{i >> 8}.{i & 255}" for i in range(3000)
    )


def test_beyond_its_room_for_text_names_are_counted_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TEXT", 1 << 17)
    book = NameBook()
    for i in range(4000):
        book.note(SERVER, f"{i:040}.example", "dns", 0, i, i)
    kept = len(rows(book))
    assert 0 < kept < 4000
    assert book.lost == 4000 - kept


def test_a_client_of_one_version_never_connects_to_an_address_of_the_other() -> None:
    book = NameBook()
    book.learn("2001:db8::9", SERVER, "a.example", 1)
    assert int(book.arrays.counts[1]) == 0


def test_the_fresh_name_is_the_only_one_asked_for_lately() -> None:
    book = NameBook()
    book.learn(CLIENT, SERVER, "old.example", 1, 10 * SECOND)
    book.learn(CLIENT, SERVER, "new.example", 2, 20 * SECOND)

    def at(ts: int) -> str | None:
        number = fresh(book.arrays, 4, *halves(CLIENT), *halves(SERVER), ts)
        return book.text(number) if number >= 0 else None

    assert at(20 * SECOND + FRESH_NS) == "new.example"
    assert at(20 * SECOND + FRESH_NS + 1) is None
    assert at(10 * SECOND) == "old.example"
    book.learn(CLIENT, SERVER, "other.example", 3, 19 * SECOND)
    assert at(20 * SECOND) is None
    assert at(9 * SECOND) is None
