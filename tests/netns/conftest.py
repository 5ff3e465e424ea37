# SPDX-License-Identifier: MPL-2.0
"""Fixtures of the tests that need namespaces."""

import pytest

from netns import Pair, reason_to_skip


@pytest.fixture(scope="session")
def can_run():
    reason = reason_to_skip()
    if reason:
        pytest.skip(reason)


@pytest.fixture
def pair(can_run, tmp_path):
    made = Pair(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def module_pair(can_run, tmp_path_factory):
    made = Pair(tmp_path_factory.mktemp("pair"))
    yield made
    made.close()
