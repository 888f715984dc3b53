"""A server over the shipped sample articles, made by the commands that a user runs."""

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
