"""DHCP clients between their word and the answer."""

from wirecover.capture.flows.host_facts import Told
from wirecover.capture.flows.waiting_clients import (
    ANSWERED_WITHIN,
    MAX_CLIENTS,
    MAX_FACTS,
    Said,
    WaitingClients,
)

MAC = "02:00:5e:10:00:01"


def told(value: str) -> Told:
    return Told(((None, "hostname", value),), ((None, value),))


def test_all_that_was_said_goes_with_the_answer() -> None:
    clients = WaitingClients()
    assert clients.wait(MAC, None, MAC, told("a"), 1, 100) == []
    assert clients.wait(MAC, "192.0.2.7", MAC, told("a"), 2, 200) == []
    clients.wait(MAC, None, MAC, told("b"), 3, 300)
    said, names, in_time = clients.answer(MAC, 400)
    assert said == [
        Said("192.0.2.7", MAC, "hostname", "a", 1, 100, 200), Said("192.0.2.7", MAC, "hostname", "b", 3, 300, 300),
    ]  # fmt: skip
    assert (names, in_time) == (("a", "b"), True)
    assert clients.answer(MAC, 500) == ([], (), False)


def test_a_late_answer_is_to_something_else() -> None:
    clients = WaitingClients()
    clients.wait(MAC, None, MAC, told("a"), 1, 0)
    said, _, in_time = clients.answer(MAC, ANSWERED_WITHIN + 1)
    assert len(said) == 1 and not in_time
    clients.wait(MAC, None, MAC, told("a"), 1, 0)
    [gone] = clients.wait(MAC, None, MAC, told("b"), 2, ANSWERED_WITHIN + 1)
    assert (gone.value, [one.value for one in clients.rest()]) == ("a", ["b"])
    assert list(clients.rest()) == []


def test_memory_is_bounded() -> None:
    clients = WaitingClients()
    gone = [
        one for i in range(MAX_CLIENTS + 5) for one in clients.wait(f"c{i}", None, None, told(f"{i}"), i, i)
    ]
    assert [one.value for one in gone] == ["0", "1", "2", "3", "4"]
    one = WaitingClients()
    for i in range(MAX_FACTS + 7):
        one.wait(MAC, None, MAC, told(f"{i}"), i, i)
    said, names, _ = one.answer(MAC, 0)
    assert (len(said), len(names), one.unkept) == (MAX_FACTS, MAX_FACTS, 7)
