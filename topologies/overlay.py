# SPDX-License-Identifier: MPL-2.0
"""overlay - which node is whose child: plain arithmetic over names, nothing of Mininet.

An overlay is a dict from each node's name to the list of its children's names, in the order given; the first
name is the root, and every other node is exactly one node's child.
"""


def overlay_tree(names, fanout):
    """The balanced tree: filled level by level, each node with up to fanout children."""
    if fanout < 1:
        raise ValueError(f"overlay fan-out {fanout}: must be at least 1")
    return {name: names[i * fanout + 1:(i + 1) * fanout + 1] for i, name in enumerate(names)}


def overlay_star(names):
    """The first node is the parent of all others."""
    return {name: names[1:] if i == 0 else [] for i, name in enumerate(names)}


def overlay_make(kind, names, fanout):
    """kind: "tree" or "star"."""
    if kind == "star":
        return overlay_star(names)
    if kind == "tree":
        return overlay_tree(names, fanout)
    raise ValueError(f"overlay {kind!r}: neither tree nor star")


def overlay_below(overlay, name):
    """The names of all nodes below a node, itself included."""
    found = [name]
    for child in overlay[name]:
        found += overlay_below(overlay, child)
    return found


def overlay_print(overlay, name, indent=""):
    """The tree as text, one node a line, children indented below their parent."""
    lines = [indent + name]
    for child in overlay[name]:
        lines.append(overlay_print(overlay, child, indent + "  "))
    return "\n".join(lines)
