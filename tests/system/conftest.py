# SPDX-License-Identifier: MPL-2.0
"""Fixtures of the system tests."""

import pytest

from fabric import Fabric


@pytest.fixture
def fabric(tmp_path):
    """Nodes of one test; how they end is part of the test."""
    made = Fabric(tmp_path)
    yield made
    made.end()


@pytest.fixture(scope="module")
def module_fabric(tmp_path_factory):
    """Nodes that the tests of one file share; each test leaves them as it found them."""
    made = Fabric(tmp_path_factory.mktemp("fabric"))
    yield made
    made.end()
