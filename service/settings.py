"""Every setting, in one typed value: defaults, then `byline.toml`, then `BYLINE_…`, then the command line."""

from __future__ import annotations

import json
import os
import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from ingest import failpoints
from service.answering.answer import AnswererName
from service.errors import WrongUse, words_of

CONFIG_FILE = "byline.toml"


class SettingsError(WrongUse):
    """A setting is unknown or out of range; the message names each, its value's fault, and where it can stand."""


def _names(value: object) -> object:
    """Read a list in an environment variable: JSON, or names with commas between them."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError("is not sound JSON; names with commas between them do, too") from error
    return [name.strip() for name in value.split(",") if name.strip()]


Names = Annotated[list[str], NoDecode, BeforeValidator(_names)]


class Settings(BaseSettings):
    """The settings of one process. Unknown keys are refused, so that a typo is found at the start."""

    model_config = SettingsConfigDict(
        env_prefix="BYLINE_",
        env_ignore_empty=True,  # `BYLINE_PORT=` in a file of variables sets nothing
        toml_file=CONFIG_FILE,
        extra="forbid",
        frozen=True,
        validate_default=True,
        hide_input_in_errors=True,  # it may be the key
    )

    data: Path = Field(default=Path("byline-data"), description="The data folder: library, index, conversations.")
    embedding_model: str = Field(
        default="all-MiniLM-L6-v2",
        min_length=1,
        description="The shipped model by this name, or a folder with a sentence-transformers model.",
    )
    embedding_runtime: Literal["auto", "torch", "onnxruntime", "openvino"] = Field(
        default="auto",
        description="What runs the embedding model: torch, onnxruntime, openvino; auto: what the index was made with, "
        "else the fastest that agrees with torch.",
    )
    embedding_precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto",
        description="Of its multiplications: fp32, or bf16 where runtime and processor can; auto likewise.",
    )
    prepared_models: Path | None = Field(
        default=None,
        description="Folder for the model as runtimes read it, made at the first use; none: in the data folder.",
    )
    chunk_tokens: int = Field(default=160, ge=32, le=8192, description="Longest chunk, in model tokens.")
    chunk_overlap_tokens: int = Field(
        default=40, ge=0, le=4096, description="Whole sentences up to this many tokens are repeated."
    )
    chunk_title: bool = Field(
        default=True, description="The article's title is embedded and searched with each of its chunks."
    )
    reranker: str | None = Field(
        default=None,
        min_length=1,
        description="A folder with a cross-encoder that reads the best 30 passages again; none: they stay as found.",
    )
    answer_passages: int = Field(default=12, ge=1, le=100, description="Chunks that an answer may draw on.")
    answer_reader: bool = Field(
        default=True,
        description="Whether the best sentences are read with the question: better answers, more work for each.",
    )
    answer_sentences: int = Field(default=5, ge=1, le=10, description="Most sentences of an extractive answer.")
    abstention_model: Path | None = Field(
        default=None, description="File of the model that decides when not to answer; none: the shipped one."
    )
    host: str = Field(
        default="127.0.0.1", min_length=1, description="Where the server listens; beyond loopback only with API keys."
    )
    port: int = Field(default=8000, ge=0, le=65535, description="0 takes a free one.")
    log_format: Literal["console", "json"] = Field(
        default="console", description="How a server logs: console for people, json for machines."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important events that a server logs."
    )
    log_questions: bool = Field(
        default=False, description="Whether the line of a request has its question; they are people's words."
    )
    otel_endpoint: str | None = Field(
        default=None,
        description="An OpenTelemetry collector (OTLP over HTTP), such as http://127.0.0.1:4318; none: no traces.",
    )
    max_body_bytes: int = Field(default=10_000_000, ge=1_000, description="Largest request body.")
    max_upload_bytes: int = Field(default=100_000_000, ge=1_000, description="Largest form of uploaded files.")
    upload_timeout_seconds: float = Field(
        default=300.0, gt=0, le=3600, description="After it an upload is answered 503; what it stored stays."
    )
    max_article_chars: int = Field(default=2_000_000, ge=1_000, description="Longest article.")
    request_timeout_seconds: float = Field(
        default=30.0, gt=0, le=600, description="After it a request is answered 503."
    )
    max_waiting_requests: int = Field(
        default=64,
        ge=1,
        le=10_000,
        description="Requests that may wait for the model; more are answered 503.",
    )
    requests_per_minute: int = Field(
        default=600,
        ge=0,
        description="Of each API key, and of each address without one (loopback excepted); more: 429. 0: no limit.",
    )
    concurrent_requests: int = Field(
        default=64, ge=0, description="Of each likewise, at the same time; more: 429. 0: no limit."
    )
    cors_origins: Names = Field(
        default=[], description="Sites whose pages may use the API, such as https://news.example; none by default."
    )
    allowed_hosts: Names = Field(
        default=[],
        description="Names by which a server without API keys may be called, beside those of loopback; for a proxy.",
    )
    trusted_proxies: Names = Field(
        default=[], description="Addresses or networks of proxies whose X-Forwarded-For and -Proto are believed."
    )
    public_url: str | None = Field(
        default=None,
        description="By which clients reach the server, such as https://news.example.org/byline; none: what the "
        "request came to.",
    )
    openai_source_events: bool = Field(
        default=False,
        description="Streams of /v1/chat/completions tell citations as Open WebUI's events, with quotes.",
    )
    max_connections: int = Field(
        default=2_000, ge=10, le=100_000, description="Open connections; more are answered 503 and closed."
    )
    head_timeout_seconds: float = Field(
        default=10.0, gt=0, le=600, description="What a client gets to send address and headers."
    )
    send_timeout_seconds: float = Field(
        default=30.0, gt=0, le=600, description="A client that takes nothing of its answer for so long is left."
    )
    keep_generations: int = Field(default=3, ge=1, le=100, description="Index generations kept after a build.")
    exact_chunks: int = Field(
        default=200_000,
        ge=1_000,
        description="Up to so many chunks every search looks at all vectors; above, at lists of near ones.",
    )
    answerer: AnswererName = Field(
        default="extractive", description="Who answers if a request does not say: extractive, or llm."
    )
    llm_base_url: str | None = Field(
        default=None,
        description="An OpenAI-compatible API, such as http://127.0.0.1:11434/v1; without it there is no LLM.",
    )
    llm_model: str | None = Field(default=None, min_length=1, description="The LLM's name at that API.")
    llm_api_key: SecretStr | None = Field(default=None, description="The key for that API, if it wants one.")
    llm_timeout_seconds: float = Field(
        default=60.0, gt=0, le=3600, description="After it a request to the LLM is given up, a second try included."
    )
    llm_context_tokens: int = Field(
        default=8192,
        ge=1024,
        le=2_000_000,
        description="What the LLM reads and writes at most; passages are cut to it.",
    )
    llm_reply_tokens: int = Field(default=600, ge=50, le=8192, description="Longest reply of the LLM.")
    llm_fallback: bool = Field(
        default=True, description="Where the LLM fails, the extractive answer is given; off: 503."
    )

    @field_validator("llm_base_url")
    @classmethod
    def _check_base_url(cls, url: str | None) -> str | None:
        # The address is printed and kept with runs; a key is not.
        return _web_address(url, "http://127.0.0.1:11434/v1", "; a key goes into llm_api_key")

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, url: str | None) -> str | None:
        return _web_address(url, "https://news.example.org/byline", "")

    @field_validator("otel_endpoint")
    @classmethod
    def _check_otel_endpoint(cls, url: str | None) -> str | None:
        return _web_address(url, "http://127.0.0.1:4318", "; a key goes into OTEL_EXPORTER_OTLP_HEADERS")

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}" or "*" in origin:
                raise ValueError(
                    "holds what is no origin; expected scheme, host and port only, as https://news.example"
                )
        return origins

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, proxies: list[str]) -> list[str]:
        for proxy in proxies:
            try:
                ip_network(proxy)
            except ValueError as error:
                raise ValueError("holds what is neither an address nor a network, such as 10.0.0.0/8") from error
        return proxies

    @field_validator("llm_api_key")
    @classmethod
    def _check_api_key(cls, key: SecretStr | None) -> SecretStr | None:
        # What else a header cannot carry ends in errors that show it.
        if key is not None and not all("!" <= char <= "~" for char in key.get_secret_value() or " "):
            raise ValueError("is empty, or holds white space or characters that are not ASCII")
        return key

    @model_validator(mode="after")
    def _check_llm(self) -> Self:
        if (self.llm_base_url is None) != (self.llm_model is None):
            given, missing = ("llm_base_url", "llm_model") if self.llm_model is None else ("llm_model", "llm_base_url")
            raise ValueError(f"{given} is set and {missing} is not; an LLM needs both")
        if self.answerer == "llm" and self.llm_base_url is None:
            raise ValueError("answerer is llm and there is none; set llm_base_url and llm_model")
        if self.llm_reply_tokens > self.llm_context_tokens // 2:
            raise ValueError(
                f"llm_reply_tokens is {self.llm_reply_tokens}, llm_context_tokens {self.llm_context_tokens}; "
                "leave at least half of the context to the passages"
            )
        return self

    @model_validator(mode="after")
    def _overlap_fits(self) -> Settings:
        if self.chunk_overlap_tokens >= self.chunk_tokens:
            raise ValueError(
                f"chunk_overlap_tokens is {self.chunk_overlap_tokens}, chunk_tokens {self.chunk_tokens}; "
                "set chunk_overlap_tokens below chunk_tokens"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Say the order: command line, environment, `byline.toml`; no dotenv and no secret files."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def _web_address(url: str | None, example: str, remedy: str) -> str | None:
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("is not a web address") from error
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise ValueError(f"is not a web address with http or https, such as {example}")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError(f"holds more than host, port and path{remedy}")
    return url


def load_settings(**overrides: object) -> Settings:
    """Read the settings of this process; `overrides` are those given on the command line.

    Raises:
        SettingsError: A key is unknown or a value is out of range.
    """
    given = {name for name in os.environ if name.startswith("BYLINE_")}
    if failpoints.VARIABLE in given and (problem := failpoints.problem_of(os.environ[failpoints.VARIABLE])):
        raise SettingsError(problem)
    unknown = sorted(name for name in given - {failpoints.VARIABLE} if name[7:].lower() not in Settings.model_fields)
    if unknown:
        raise SettingsError(f"there is no setting {unknown[0]}; docs/settings.md lists the names")
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]  # pydantic checks
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{CONFIG_FILE} cannot be read as TOML: {error}; texts stand in quotation marks, true and false are small"
        ) from error
    except OSError as error:
        raise SettingsError(f"{CONFIG_FILE} cannot be read ({error.strerror or error})") from error
    except ValidationError as error:
        faults = "; ".join(
            ": ".join([*(str(part) for part in fault["loc"]), words_of(fault)]) for fault in error.errors()
        )
        raise SettingsError(
            f"settings refused: {faults}. Each can stand in {CONFIG_FILE} or as BYLINE_<NAME> in the environment"
        ) from error
