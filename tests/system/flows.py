# SPDX-License-Identifier: MPL-2.0
"""flows - capture files of very many packets, written fast: the record of a flow is made once and used often.

A flow here is an IPv4 source, named by a number; all its packets are UDP packets of one length to one destination.
"""

import struct

from packets import HEAD, LINKTYPE_RAW, packet_bytes

LENGTH = 100
SOURCE_AT = 16 + 12  # behind the record's head, in the IP head


def address(number):
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def records(numbers, length=LENGTH):
    """The records of flows, {number: bytes}."""
    data = packet_bytes("10.0.0.0", "172.16.0.1", "udp", 1024, 53, length)[:HEAD]
    whole = struct.pack("<IIII", 1, 0, len(data), length) + data
    before, after = whole[:SOURCE_AT], whole[SOURCE_AT + 4:]
    return {number: before + (0x0a000000 | number).to_bytes(4, "big") + after for number in numbers}


def write_records(path, parts):
    """A file of records; gives the source that names it."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, HEAD, LINKTYPE_RAW))
        file.write(b"".join(parts))
    return f"pcap:{path}"
