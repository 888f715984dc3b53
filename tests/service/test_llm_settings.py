"""The settings of the LLM: what goes together, and a key that nothing shows."""

import pytest

from service.settings import SettingsError, load_settings

KEY = "sk-Very.Secret_1"


def refused(monkeypatch, **values) -> str:
    for name, value in values.items():
        monkeypatch.setenv(f"BYLINE_LLM_{name.upper()}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert KEY not in str(caught.value)
    assert KEY not in str(caught.value.__cause__)
    return str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/v1",
        "127.0.0.1:11434",
        "http://",
        "http://[::1",
        "http://x:99999/v1",
        "http://x y/v1",
        "file:///v1",
        "http://x/\n",
    ],
)
def test_only_a_web_address_is_one(monkeypatch, url):
    assert "settings refused: llm_base_url: is not a web address" in refused(monkeypatch, base_url=url, model="tiny")


@pytest.mark.parametrize("url", [f"http://me:{KEY}@x/v1", f"http://x/v1?key={KEY}", f"http://x/v1#{KEY}"])
def test_an_address_holds_no_key(monkeypatch, url):
    assert "a key goes into llm_api_key" in refused(monkeypatch, base_url=url, model="tiny")


def test_an_address_and_a_model_go_together(monkeypatch):
    said = refused(monkeypatch, base_url="http://x/v1")
    assert said.startswith("settings refused: llm_base_url is set and llm_model is not; an LLM needs both")
    monkeypatch.delenv("BYLINE_LLM_BASE_URL")
    assert "llm_model is set and llm_base_url is not" in refused(monkeypatch, model="tiny", api_key=KEY)


@pytest.mark.parametrize("key", [f"{KEY}\n", f"{KEY} x", f"{KEY}ä"])
def test_a_key_that_no_header_can_carry_is_refused_unseen(monkeypatch, key):
    assert "llm_api_key: is empty, or holds white space" in refused(monkeypatch, api_key=key)


@pytest.mark.parametrize("seconds", ["0", "-1", "inf", "nan", "soon"])
def test_the_limit_is_a_time(monkeypatch, seconds):
    assert "llm_timeout_seconds: " in refused(monkeypatch, timeout_seconds=seconds)


def test_the_key_is_in_nothing_that_settings_show(monkeypatch):
    monkeypatch.setenv("BYLINE_LLM_API_KEY", KEY)
    settings = load_settings()
    assert settings.llm_api_key.get_secret_value() == KEY
    shown = [repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump(mode="json"))]
    assert not any(KEY in one for one in shown)


def test_a_key_of_another_kind_in_the_file_is_refused_unseen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "byline.toml").write_text("llm_api_key = 123456789\n")
    with pytest.raises(SettingsError, match="llm_api_key: ") as caught:
        load_settings()
    assert "123456789" not in str(caught.value) + str(caught.value.__cause__)
