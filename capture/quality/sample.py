"""What is looked at closely: all of a capture up to a size, a sample of what follows.

Whole captures of usual size are looked at whole. Of larger ones a sample is taken by what stands in the packets and by
numbers of frames and flows: the same on every machine, whatever the size of a batch. Every figure from a sample says of
how many; a share is the share of the sample, a count is no estimate of the whole.
"""

from typing import Final

FRAMES: Final = 1 << 12
"""Lengths and checksums are verified in every frame up to this number, ..."""
SPREAD: Final = 0x9E3779B1
"""... behind it in those of which the low 32 bits of number x this, which scatters them, are ..."""
BELOW: Final = 1 << 26
"""... below this: one in 64, in step with nothing."""
COMPARED: Final = 1 << 13
"""Copies, and times to live of SYNs, are looked for among all packets up to this frame, ..."""
ONE_CHECKSUM_IN: Final = 64
"""... behind it among those whose checksum is a multiple of this, which both copies of a packet have in common."""
FLOWS: Final = 1 << 11
"""TCP is followed in every flow up to this number, ..."""
ONE_FLOW_IN: Final = 16
"""... behind it in those whose number is a multiple of this."""
