"""Every setting, in one typed value: defaults, then `byline.toml`, then `BYLINE_…`, then the command line."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from service.errors import WrongUse

CONFIG_FILE = "byline.toml"


class SettingsError(WrongUse):
    """A setting is unknown or out of range; the message names each, its value's fault, and where it can stand."""


class Settings(BaseSettings):
    """The settings of one process. Unknown keys are refused, so that a typo is found at the start."""

    model_config = SettingsConfigDict(
        env_prefix="BYLINE_", toml_file=CONFIG_FILE, extra="forbid", frozen=True, validate_default=True
    )

    data: Path = Field(default=Path("byline-data"), description="The data folder: library, index, conversations.")
    embedding_model: str = Field(
        default="all-MiniLM-L6-v2",
        min_length=1,
        description="The shipped model by this name, or a folder with a sentence-transformers model.",
    )
    chunk_tokens: int = Field(default=160, ge=32, le=8192, description="Longest chunk, in model tokens.")
    chunk_overlap_tokens: int = Field(
        default=40, ge=0, le=4096, description="Whole sentences up to this many tokens are repeated."
    )
    chunk_title: bool = Field(
        default=True, description="The article's title is embedded and searched with each of its chunks."
    )
    answer_passages: int = Field(default=12, ge=1, le=100, description="Chunks that an answer may draw on.")
    answer_sentences: int = Field(default=4, ge=1, le=10, description="Most sentences of an extractive answer.")
    abstention_model: Path | None = Field(
        default=None, description="File of the model that decides when not to answer; none: the shipped one."
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="Where the server listens: loopback only.")
    port: int = Field(default=8000, ge=0, le=65535, description="0 takes a free one.")
    max_body_bytes: int = Field(default=10_000_000, ge=1_000, description="Largest request body.")
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
    keep_generations: int = Field(default=3, ge=1, le=100, description="Index generations kept after a build.")

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


def load_settings(**overrides: object) -> Settings:
    """Read the settings of this process; `overrides` are those given on the command line.

    Raises:
        SettingsError: A key is unknown or a value is out of range.
    """
    unknown = sorted(
        name for name in os.environ if name.startswith("BYLINE_") and name[7:].lower() not in Settings.model_fields
    )
    if unknown:
        raise SettingsError(f"there is no setting {unknown[0]}; docs/settings.md lists the names")
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]  # pydantic checks
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}".removeprefix(": ")
            for fault in error.errors()
        )
        raise SettingsError(
            f"settings refused: {faults}. Each can stand in {CONFIG_FILE} or as BYLINE_<NAME> in the environment"
        ) from error
