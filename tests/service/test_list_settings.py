"""Settings that are lists: as JSON or with commas in the environment, refused where they could never work."""

import pytest

from service.settings import SettingsError, load_settings


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", []),
        ("https://a.example", ["https://a.example"]),
        ("https://a.example, http://b.example:81", ["https://a.example", "http://b.example:81"]),
        ('["https://a.example"]', ["https://a.example"]),
    ],
)
def test_a_list_may_stand_in_the_environment(monkeypatch, text, origins):
    monkeypatch.setenv("BYLINE_CORS_ORIGINS", text)
    assert load_settings().cors_origins == origins


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cors_origins", "*"),
        ("cors_origins", "a.example"),
        ("cors_origins", "https://a.example/"),
        ("cors_origins", "https://*.a.example"),
        ("cors_origins", "[oops"),
        ("trusted_proxies", "proxy"),
        ("trusted_proxies", "10.0.0.1/8"),
    ],
)
def test_what_could_never_work_is_refused_by_name(monkeypatch, name, text):
    monkeypatch.setenv(f"BYLINE_{name.upper()}", text)
    with pytest.raises(SettingsError, match=name):
        load_settings()
