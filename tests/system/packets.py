# SPDX-License-Identifier: MPL-2.0
"""packets - capture files whose content a test decides packet by packet, and exact counting of the same list.

A packet is (src, dst, proto, sport, dport, length), length being the IP packet's. Written as classic pcap with raw IP
frames of which only the heads are stored, as a capture with a snap length has them.
"""

import collections
import ipaddress
import struct

LINKTYPE_RAW = 101
PROTOS = {"tcp": 6, "udp": 17}
HEAD = 96


def ip_head(src, dst, proto, payload_length):
    source, target = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    if source.version == 4:
        return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + payload_length, 1, 0, 64, PROTOS[proto], 0, source.packed,
                           target.packed)
    return struct.pack("!IHBB16s16s", 6 << 28, payload_length, PROTOS[proto], 64, source.packed, target.packed)


def packet_bytes(src, dst, proto, sport, dport, length):
    payload = length - (20 if ipaddress.ip_address(src).version == 4 else 40)
    if proto == "udp":
        transport = struct.pack("!HHHH", sport, dport, payload, 0)
    else:
        transport = struct.pack("!HHIIBBHHH", sport, dport, 0, 0, 0x50, 0x10, 1024, 0, 0)
    assert payload >= len(transport)
    return ip_head(src, dst, proto, payload) + transport


def write_pcap(path, packets):
    """Writes the file; gives the source that names it."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, HEAD, LINKTYPE_RAW))
        for number, packet in enumerate(packets):
            data = packet_bytes(*packet)[:HEAD]
            file.write(struct.pack("<IIII", 1, number, len(data), packet[5]) + data)
    return f"pcap:{path}"


FIELDS = {
    "src": lambda p: p[0], "dst": lambda p: p[1], "src_dst": lambda p: f"{p[0]},{p[1]}",
    "dport": lambda p: str(p[4]), "src_dport": lambda p: f"{p[0]},{p[4]}", "sport": lambda p: str(p[3]),
    "dst_dport": lambda p: f"{p[1]},{p[4]}", "proto": lambda p: str(PROTOS[p[2]]),
    "flow": lambda p: f"{p[0]},{p[1]},{p[3]},{p[4]},{PROTOS[p[2]]}",
}


def count(packets, key_type, by="packets"):
    """Exact counts of a list of packets: key -> packets or bytes."""
    counts = collections.Counter()
    for packet in packets:
        counts[FIELDS[key_type](packet)] += packet[5] if by == "bytes" else 1
    return counts


def heavy(counts, threshold):
    """The keys above a share of the total."""
    total = sum(counts.values())
    return {key: value for key, value in counts.items() if value > threshold * total}
