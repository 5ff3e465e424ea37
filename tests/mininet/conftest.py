# SPDX-License-Identifier: MPL-2.0
"""One running tree of nine hosts for all tests of a file, and the reason where there can be none."""

import os
import sys

import pytest

TOPOLOGIES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "topologies")
sys.path.insert(0, TOPOLOGIES)


@pytest.fixture(scope="session")
def topologies():
    """The folder of tree.py. Skips where no network namespace can be made."""
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces and firewall rules")
    pytest.importorskip("mininet", reason="needs Debian's package mininet")
    from namespace import namespace_enter, namespace_return
    try:
        namespace_return(namespace_enter())
    except OSError as error:
        pytest.skip(f"needs network namespaces: {error}")
    return TOPOLOGIES


@pytest.fixture(scope="module")
def fabric(topologies):
    """h1 the controller, nodes on h2 to h9 in the default overlay, all of them up."""
    from fabric import Fabric
    with Fabric() as running:
        yield running
