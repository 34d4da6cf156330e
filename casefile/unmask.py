"""Which pseudonym an address has in a case: the one act that tells who a third party is.

A pseudonym is the HMAC of an address (capture/scope_filter.py), so nothing is looked up: whoever has the key can hold
an address against the case, and against no other. It needs a reason, and two persons where the authority says so;
what was asked stands in the custody log by keyed reference.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from wirecover.capture.scope_filter import pseudonym
from wirecover.casefile.authority_store import authority_of, key_of
from wirecover.casefile.custody import Act, record, reference
from wirecover.casefile.errors import AuthorityError, CaseError

if TYPE_CHECKING:
    from wirecover.casefile.case import Case

VERB: Final = "unmask"


@dataclass(frozen=True, slots=True)
class Unmasked:
    """One address, held against the case."""

    address: str
    pseudonym: str
    flows: int
    """Flows of the case in which the pseudonym is an end."""


def unmask(case: "Case", addresses: Sequence[str]) -> list[Unmasked]:
    """The pseudonym of each address; AuthorityError when the authority has none, or asks for more persons."""
    file = authority_of(case)
    if file is None or file.authority.others != "pseudonymise":
        raise AuthorityError(f"{case.path}: its authority keeps no third parties under pseudonyms")
    if not (case.reason or "").strip():
        raise AuthorityError(
            "unmask: tells who a third party is, and is not done without a reason (--reason TEXT)"
        )
    try:
        asked = [ip_address(text) for text in addresses]
    except ValueError as problem:
        raise CaseError(str(problem)) from problem
    act = Act(VERB, {"addresses": [reference(case.path, str(one)) for one in asked]})
    with record(case, act) as entry, closing(case.connect()) as connection:
        key = key_of(case.path, file.authority)
        found = []
        for one in asked:
            name = pseudonym(key, one.packed)
            [(flows,)] = connection.execute(
                "SELECT count(*) FROM flows WHERE client_ip = ? OR server_ip = ?", [name, name]
            ).fetchall()
            found.append(Unmasked(str(one), name, flows))
        told = "\n".join(f"{one.address} {one.pseudonym} {one.flows}" for one in found)
        entry.result(sha256(told.encode()).hexdigest(), found=sum(one.flows > 0 for one in found))
    return found
