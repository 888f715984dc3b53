"""A server over the shipped sample articles, made by the commands that a user runs, and a browser to look at it."""

import pytest
from processes import SAMPLES, byline, serving


@pytest.fixture(scope="session")
def sample_data(tmp_path_factory):
    """A data folder with the sample articles added and built by the command line."""
    data = tmp_path_factory.mktemp("samples")
    byline("add", SAMPLES, data=data)
    byline("build", data=data)
    return data


@pytest.fixture(scope="session")
def server(sample_data):
    with serving(sample_data) as client:
        yield client


@pytest.fixture(scope="module")
def browser():
    from browsing import chromium

    # Of a module, not of the session: while it runs, no other event loop can.
    with chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser):
    """A function that opens a page of a server; what goes wrong in it fails the test."""
    from browsing import Visits

    visits = Visits(browser)
    yield visits
    visits.close()
    assert visits.faults == []
