#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Writes the corpus of fuzz_packet: awkward packets, each a link type's index and a frame.

usage: make_packets.py [FOLDER]   (default: corpus/packet beside this file)

Every run writes the same files. The first byte is the index into LINKS of fuzz_packet.c; with 0x80 in it the length of
a filter's texts follows, one line a field, and then the texts.
"""
import pathlib
import struct
import sys

NULL, ETHERNET, PPP, RAW, LOOP, SLL, IPV4, IPV6, SLL2, PPP_SERIAL, RAW_FILE, UNKNOWN = range(12)

SRC4, DST4 = bytes([10, 0, 0, 6]), bytes([10, 0, 0, 5])
SRC6, DST6 = bytes([0xfd]) + bytes(14) + b"\x06", bytes([0xfd]) + bytes(14) + b"\x05"

TCP = struct.pack(">HHIIBBHHH", 4660, 80, 1, 2, 0x50, 0x12, 1024, 0, 0)
TCP_OPTIONS = struct.pack(">HHIIBBHHH", 4660, 80, 1, 2, 0x80, 0x10, 1024, 0, 0) + b"\x01\x01\x08\x0a" + bytes(8)
UDP = struct.pack(">HHHH", 4660, 53, 12, 0) + b"data"
SCTP = struct.pack(">HHII", 4660, 9, 1, 0)
ICMP = struct.pack(">BBHHH", 8, 0, 0, 1, 1)


def ipv4(payload, proto=6, total=None, fragment=0, words=5, version=4, options=b""):
    """An IPv4 packet; total, words and version may lie."""
    length = 20 + len(options) + len(payload) if total is None else total
    header = struct.pack(">BBHHHBBH", version << 4 | words, 0, length, 1, fragment, 64, proto, 0)
    return header + SRC4 + DST4 + options + payload


def ipv6(payload, following=6, length=None):
    """An IPv6 packet; length may lie."""
    length = len(payload) if length is None else length
    return struct.pack(">IHBB", 0x60000000, length, following, 64) + SRC6 + DST6 + payload


def extension(following, units=0, fill=0):
    """Hop-by-hop, routing or destination options of 8 * (units + 1) bytes."""
    return bytes([following, units]) + bytes([fill]) * (6 + 8 * units)


def fragment6(following, offset, more):
    """An IPv6 fragment header; offset in units of 8 bytes."""
    return struct.pack(">BBHI", following, 0, offset << 3 | more, 1)


def authentication(following, words=4):
    """An AH header of 4 * (words + 2) bytes."""
    return bytes([following, words]) + bytes(4 * (words + 2) - 2)


def ethernet(payload, kind, tags=()):
    """A frame with the given VLAN tag types before its EtherType."""
    frame = bytes(12)
    for number, tag in enumerate(tags):
        frame += struct.pack(">HH", tag, number + 1)
    return frame + struct.pack(">H", kind) + payload


def ipv4_packets():
    """IPv4, whole and lying."""
    yield "ipv4-tcp", ipv4(TCP)
    yield "ipv4-udp", ipv4(UDP, 17)
    yield "ipv4-sctp", ipv4(SCTP, 132)
    yield "ipv4-icmp", ipv4(ICMP, 1)
    yield "ipv4-gre", ipv4(bytes(4) + ipv4(TCP), 47)
    yield "ipv4-options", ipv4(TCP, words=7, options=b"\x94\x04\x00\x00\x01\x01\x01\x00")
    yield "ipv4-options-40", ipv4(UDP, 17, words=15, options=bytes(40))
    yield "ipv4-options-beyond-end", ipv4(b"", words=15, total=60)
    yield "ipv4-fragment-first", ipv4(UDP, 17, fragment=0x2000)
    yield "ipv4-fragment-later", ipv4(UDP, 17, fragment=0x2000 | 185)
    yield "ipv4-fragment-last", ipv4(UDP, 17, fragment=185)
    yield "ipv4-fragment-tiny-tcp", ipv4(TCP[:8], fragment=0x2000)
    yield "ipv4-total-zero", ipv4(TCP, total=0)
    yield "ipv4-total-beyond", ipv4(TCP, total=65535)
    yield "ipv4-total-below-header", ipv4(TCP, total=19)
    yield "ipv4-total-inside-ports", ipv4(TCP, total=22)
    yield "ipv4-tcp-options", ipv4(TCP_OPTIONS)
    yield "ipv4-fragment-overlap", ipv4(TCP, fragment=1)
    yield "ipv4-fragment-overlap-more", ipv4(TCP, fragment=0x2001)
    yield "ipv4-fragment-reserved-bit", ipv4(TCP, fragment=0xc000)
    yield "ipv4-fragment-farthest", ipv4(UDP, 17, fragment=0x1fff)
    yield "ipv4-ah", ipv4(authentication(6, 1) + TCP, 51)
    yield "ipv4-in-ipv4", ipv4(ipv4(TCP), 4)
    yield "ipv4-carries-ipv6", ipv4(ipv6(UDP, 17), 41)
    yield "ipv4-padded", ipv4(UDP, 17) + bytes(14)
    for words in range(5):
        yield f"ipv4-ihl-{words}", ipv4(TCP, words=words)
    for words in (0, 4, 6, 15):
        yield f"ipv4-data-offset-{words:02}", ipv4(TCP[:12] + bytes([words << 4]) + TCP[13:])
    for size in (0, 3, 4, 13, 14):
        yield f"ipv4-fragment-first-{size:02}", ipv4(TCP[:size], fragment=0x2000)
    yield "version-5", ipv4(TCP, version=5)
    yield "version-0", ipv4(TCP, version=0)


def ipv6_packets():
    """IPv6 and its extension headers."""
    chain = (extension(43) + extension(60, 2) + extension(51, 1) + authentication(44) + fragment6(6, 0, 0) + TCP)
    jumbo = bytes([6, 0, 0xc2, 4]) + struct.pack(">I", 70000)
    yield "ipv6-tcp", ipv6(TCP)
    yield "ipv6-icmp", ipv6(ICMP, 58)
    yield "ipv6-hop-by-hop", ipv6(extension(17) + UDP, 0)
    yield "ipv6-routing", ipv6(extension(17, 2) + UDP, 43)
    yield "ipv6-destination", ipv6(extension(17, 1) + UDP, 60)
    yield "ipv6-ah", ipv6(authentication(17) + UDP, 51)
    yield "ipv6-ah-shortest", ipv6(authentication(17, 0) + UDP, 51)
    yield "ipv6-esp", ipv6(bytes(16), 50)
    yield "ipv6-no-next", ipv6(b"", 59)
    yield "ipv6-mobility", ipv6(extension(59), 135)
    yield "ipv6-chain", ipv6(chain, 0)
    yield "ipv6-fragment-first", ipv6(fragment6(17, 0, 1) + UDP, 44)
    yield "ipv6-fragment-later", ipv6(fragment6(17, 181, 0) + UDP, 44)
    yield "ipv6-fragment-atomic", ipv6(fragment6(17, 0, 0) + UDP, 44)
    yield "ipv6-fragment-of-options", ipv6(fragment6(60, 0, 1) + extension(17) + UDP, 44)
    yield "ipv6-fragment-in-fragment", ipv6(fragment6(44, 0, 1) + fragment6(17, 3, 0) + UDP, 44)
    yield "ipv6-many-headers", ipv6(extension(60) * 120 + extension(17) + UDP, 60)
    yield "ipv6-header-beyond-end", ipv6(extension(17)[:1] + b"\xff" + bytes(6) + UDP, 60)
    yield "ipv6-beyond-range", ipv6(extension(60) * 11 + extension(6) + TCP, 60)
    yield "ipv6-fragment-overlap", ipv6(fragment6(6, 1, 1) + TCP, 44)
    yield "ipv6-fragment-first-tiny", ipv6(fragment6(6, 0, 1) + TCP[:8], 44)
    yield "ipv6-fragment-later-of-options", ipv6(fragment6(60, 1, 0) + extension(17) + UDP, 44)
    yield "ipv6-ah-beyond-end", ipv6(authentication(17)[:1] + b"\xff" + bytes(14) + UDP, 51)
    yield "ipv6-hip", ipv6(extension(59, 4), 139)
    yield "ipv6-shim6", ipv6(extension(6) + TCP, 140)
    yield "ipv6-in-ipv6", ipv6(ipv6(UDP, 17), 41)
    yield "ipv6-carries-ipv4", ipv6(ipv4(TCP), 4)
    yield "ipv6-no-next-padded", ipv6(b"", 59) + bytes(6)
    yield "ipv6-no-next-with-bytes", ipv6(TCP, 59)
    yield "ipv6-tcp-options", ipv6(TCP_OPTIONS)
    yield "ipv6-jumbogram-with-length", ipv6(jumbo + TCP, 0)
    yield "ipv6-jumbogram", ipv6(jumbo + TCP, 0, length=0)
    yield "ipv6-length-zero", ipv6(TCP, length=0)
    yield "ipv6-length-beyond", ipv6(TCP, length=65535)
    yield "ipv6-length-inside-chain", ipv6(chain, 0, length=20)


def cut_packets():
    """Packets that end where a reader might step too far."""
    whole = ipv4(TCP, words=6, options=bytes(4))
    for size in (0, 1, 2, 9, 19, 20, 23, 24, 26, 27, 28, 37, 38, 43):
        yield f"ipv4-cut-{size:02}", whole[:size]
    whole = ipv6(extension(44) + fragment6(51, 0, 1) + authentication(6) + TCP, 0)
    for size in (1, 6, 39, 40, 41, 47, 48, 51, 55, 56, 57, 79, 80, 83, 84, 93, 94, 99):
        yield f"ipv6-cut-{size:03}", whole[:size]


def frames():
    """Link layers around plain packets."""
    four, six = ipv4(UDP, 17), ipv6(UDP, 17)
    yield "ethernet-ipv4", ETHERNET, ethernet(four, 0x0800)
    yield "ethernet-padded", ETHERNET, ethernet(four, 0x0800) + bytes(14)
    yield "ethernet-ipv6-says-ipv4", ETHERNET, ethernet(six, 0x0800)
    yield "ethernet-arp", ETHERNET, ethernet(bytes(28), 0x0806)
    yield "ethernet-llc", ETHERNET, ethernet(bytes(46), 46)
    yield "vlan", ETHERNET, ethernet(four, 0x0800, [0x8100])
    yield "qinq", ETHERNET, ethernet(six, 0x86dd, [0x88a8, 0x8100])
    yield "vlan-4", ETHERNET, ethernet(four, 0x0800, [0x9100, 0x88a8, 0x8100, 0x8100])
    yield "vlan-5", ETHERNET, ethernet(four, 0x0800, [0x8100] * 5)
    yield "vlan-without-end", ETHERNET, ethernet(b"", 0x8100, [0x8100] * 3)
    for size in (0, 11, 12, 13, 14, 15, 17, 18):
        yield f"vlan-cut-{size:02}", ETHERNET, ethernet(four, 0x0800, [0x8100])[:size]
    yield "sll", SLL, bytes(14) + b"\x08\x00" + four
    yield "sll-vlan", SLL, bytes(14) + b"\x81\x00\x00\x05\x86\xdd" + six
    yield "sll-cut", SLL, bytes(14) + b"\x08"
    yield "sll2", SLL2, b"\x86\xdd" + bytes(18) + six
    yield "sll2-vlan", SLL2, b"\x81\x00" + bytes(18) + b"\x00\x05\x08\x00" + four
    yield "sll2-cut", SLL2, b"\x08\x00" + bytes(17)
    yield "null-little", NULL, struct.pack("<I", 2) + four
    yield "null-big", NULL, struct.pack(">I", 2) + four
    yield "null-macos-ipv6", NULL, struct.pack("<I", 30) + six
    yield "null-unknown", NULL, struct.pack("<I", 7) + four
    yield "loop", LOOP, struct.pack(">I", 24) + six
    yield "ppp", PPP, b"\xff\x03\x00\x21" + four
    yield "ppp-bare", PPP, b"\x00\x57" + six
    yield "ppp-compressed", PPP_SERIAL, b"\x21" + four
    yield "ppp-lcp", PPP, b"\xff\x03\xc0\x21" + bytes(8)
    yield "ppp-cut", PPP, b"\xff\x03\x00"
    yield "raw-file", RAW_FILE, six
    yield "ipv4-link-with-ipv6", IPV4, six
    yield "ipv6-link", IPV6, six
    yield "unknown-link", UNKNOWN, four


def filters():
    """Packets behind the texts of a filter, in the order of enum filter_field."""
    four, six = ipv4(TCP), ipv6(fragment6(17, 181, 0) + UDP, 44)
    yield "filter-whole", four, ["INPUT,FORWARD", "tcp", "10.0.0.0/8", "!10.0.0.6", "!80,443", "1-1024", "SYN,ACK/SYN",
                                 "eth0", ""]
    yield "filter-negated", four, ["OUTPUT,forward", "", "!fd00::/8", "!10.1.0.0/16", "!1,3,5-7,65535",
                                   "!0-79,81-65535", "!ALL/NONE", "", "!veth+"]
    yield "filter-negated-proto", six, ["FORWARD", "!tcp", "!0.0.0.0/0", "fd00::5", "", "", "", "!lo", "+"]
    yield "filter-number", six, ["INPUT", "!17", "fd00::/8"]
    yield "filter-most-ports", four, ["INPUT", "any", "", "", ",".join(str(port) for port in range(1, 31, 2)),
                                      "!" + ",".join(str(port) for port in range(1, 31, 2))]
    yield "filter-overlapping-ports", four, ["INPUT", "6", "", "", "4000-5000,4500-6000,1,2,3", "0-65535"]
    yield "filter-two-families", six, ["INPUT", "", "10.0.0.1", "fd00::1"]
    yield "filter-nothing-left", four, ["INPUT", "!any", "!any", "", "!0-65535", "90-80", "SYN/ACK", "!+", "eth 0"]
    yield "filter-garbage", four, ["INPUT;id", "$(id)", "10.0.0.1/33", "::/129", "65536", "-", "SYM", "a/b", "\x7f"]
    yield "filter-too-many-lines", four, [""] * 12
    yield "filter-cut", b"", ["INPUT"]


def main():
    """Writes one file for each packet."""
    default = pathlib.Path(__file__).parent / "corpus" / "packet"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    folder.mkdir(parents=True, exist_ok=True)
    for make in (ipv4_packets, ipv6_packets, cut_packets):
        for name, packet in make():
            (folder / name).write_bytes(bytes([RAW]) + packet)
    for name, link, frame in frames():
        (folder / name).write_bytes(bytes([link]) + frame)
    for name, packet, fields in filters():
        texts = "\n".join(fields).encode()
        (folder / name).write_bytes(bytes([RAW | 0x80, len(texts)]) + texts + packet)
    (folder / "filter-length-beyond-end").write_bytes(bytes([RAW | 0x80, 200]) + b"INPUT\n")
    (folder / "nothing").write_bytes(b"")


if __name__ == "__main__":
    main()
