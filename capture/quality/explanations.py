"""The keys of both tables in words: metrics of the ledger, indicators, and the innocent causes that each one has.

An indicator proves no manipulation, and its absence proves none was made. Whoever weighs one has to rule out the causes
listed with it first.
"""

from typing import Final

METRICS: Final[dict[str, str]] = {
    "drops": "frames that the recorder says it lost",
    "drops-not-told": "interfaces of which the file does not say whether frames were lost",
    "cut": "frames of which the recorder kept only the beginning",
    "joined": "frames longer than Ethernet carries: jumbo frames, or segments joined by a network card",
    "no-time": "frames without a time stamp",
    "earlier": "frames with an earlier time stamp than the frame before on their interface",
    "clock-back": "places where the recorder's clock was set back by a second or more",
    "file-order": "frames with an earlier time stamp than the frame before in the file",
    "silence": "the longest time without any frame",
    "duplicates": "packets recorded twice within 10 ms, as a mirror port makes them",
    "repeated": "packets that stand a second time, 10 ms to 1 s later",
    "overtaken": "TCP segments recorded out of their order",
    "crossed": "TCP segments recorded after the acknowledgement of their bytes",
    "sent-again": "TCP segments that fill a hole more than 3 ms later: lost before they were recorded, and sent again",
    "unseen": "places where a receiver acknowledged bytes that are not in the capture",
    "one-sided": "TCP connections with data of which only one direction was recorded",
    "wrong-ip-sum": "IPv4 headers with a wrong checksum",
    "wrong-sum": "TCP and UDP packets with a wrong checksum",
    "unfilled-sum": "packets whose checksum the sender's network card had not filled in yet",
    "behind-packet": "frames that go on behind their IP packet by more than padding",
    "hop-counts": "addresses whose connections begin with different times to live",
}
"""Every metric and what its count is of."""

INDICATORS: Final[dict[str, str]] = {
    "coarse-time": "all times are multiples of a unit coarser than the file claims",
    "even-intervals": "times follow each other at exactly the same interval",
    "same-times": "most frames have exactly the time of the frame before",
    "clock-back": "times go back by a second or more",
    "sender-clocks": "clocks of senders (TCP time stamps) contradict the times of the packets",
    "beyond-snaplen": "frames hold more bytes than the file says were kept at most",
    "longer-than-frame": "frames hold more bytes than they are said to have had",
    "packet-beyond-frame": "IP packets are longer than the frame that carries them",
    "copied-data": "the same TCP data segment stands twice, a second or more apart",
    "written-by-editor": "the file names a program that writes changed or made-up captures",
    "not-by-named-tool": "the file holds what the program it names does not write",
    "several-recorders": "parts of the file name different recorders",
    "appended": "several captures stand one after another in the file",
}
EXPLANATIONS: Final[dict[str, str]] = {
    "coarse-clock": "the recorder's clock has coarse ticks",
    "converted": "the file was converted from a format with coarser times",
    "rounded": "times were rounded to protect identities",
    "generator": "the traffic came from test equipment that sends at constant intervals",
    "batched": "the network card handed over many frames at once",
    "clock-set": "the recorder's clock was set or corrected while it recorded",
    "several-machines": "several machines, each with its clock, recorded into one file",
    "sleep": "a sender, or the recorder as a virtual machine, was suspended",
    "proxy": "a proxy or load balancer in between rewrites the senders' clocks",
    "joined-files": "files with different settings were joined and only one header was kept",
    "writer-fault": "the recording program writes lengths wrongly",
    "tap-cut": "a tap or packet broker cut packets and wrote the new length",
    "offload": "the network card reported a packet before it was split",
    "resent": "a network stack sent a segment again without changing it",
    "loop": "packets ran in a loop, or a mirror delivered them late",
    "overlap": "recordings that overlap in time were joined",
    "prepared": "the file was filtered, joined or converted for handing over",
    "annotated": "someone added comments to packets",
    "fed": "the recorder was fed by another program",
}
"""Innocent causes, by key."""
