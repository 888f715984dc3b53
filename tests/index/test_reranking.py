"""A cross-encoder puts passages into its own order, whatever it thinks; one that is unfit is refused by its name."""

import json
import shutil

import numpy as np
import pytest

from index.model_files import SHIPPED_MODEL, ModelRefused, check_model
from index.reranking import RERANKED, load_reranker
from index.searcher import PER_ARTICLE, Searcher

pytestmark = pytest.mark.model


@pytest.fixture(scope="session")
def cross_encoder(tmp_path_factory):
    """A folder with a small cross-encoder of random weights, and the shipped model's tokenizer."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    def cross_encoder(name, labels=1):
        folder = tmp_path_factory.mktemp(name)
        shipped = check_model(SHIPPED_MODEL).folder
        for file in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
            if (shipped / file).is_file():
                shutil.copy(shipped / file, folder)
        torch.manual_seed(7)
        config = BertConfig(
            vocab_size=30522, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
            num_labels=labels, initializer_range=0.5,
        )  # fmt: skip
        BertForSequenceClassification(config).save_pretrained(folder)
        return folder

    return cross_encoder


@pytest.fixture(scope="session")
def folder(cross_encoder):
    return cross_encoder("reranker")


def test_hits_stand_in_the_order_of_the_reranker_and_say_so(parts, folder):
    plain = parts.live.searcher()
    reranker = load_reranker(str(folder))
    searcher = Searcher(plain.generation, plain.embedder, reranker=reranker)
    for question in ("How much did the Alder Bridge cost?", "telescope", "Who is the director?"):
        found, before = searcher.search(question).hits, plain.search(question).hits
        assert {hit.row for hit in found} == {hit.row for hit in before}
        assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
        assert all(hit.score == hit.scores.rerank and 0 < hit.score < 1 for hit in found)
        texts = [f"{hit.article.title}\n{hit.text}" for hit in found]
        assert [hit.score for hit in found] == pytest.approx(reranker.score(question, texts).tolist(), abs=1e-5)
        sides = {hit.row: (hit.scores.dense, hit.scores.lexical) for hit in before}
        assert {hit.row: (hit.scores.dense, hit.scores.lexical) for hit in found} == sides
        assert all(hit.scores.rerank is None for hit in before)


def test_a_side_alone_is_not_reranked(parts, folder):
    plain = parts.live.searcher()
    searcher = Searcher(plain.generation, plain.embedder, reranker=load_reranker(str(folder)))
    for mode in ("dense", "lexical"):
        assert searcher.search("Alder Bridge", mode=mode).hits == plain.search("Alder Bridge", mode=mode).hits


class Counting:
    """Likes what comes last."""

    def __init__(self):
        self.read = []

    def score(self, _query, texts):
        self.read.append(len(texts))
        return np.linspace(0.1, 0.9, len(texts), dtype=np.float32)


def test_no_more_passages_are_read_than_are_needed(parts):
    plain, reranker = parts.live.searcher(), Counting()
    searcher = Searcher(plain.generation, plain.embedder, reranker=reranker).without(frozenset())
    (first, *_) = searcher.search("Alder Bridge", top_k=1).hits
    assert reranker.read == [min(plain.generation.chunk_count, RERANKED)]
    assert first.row == plain.search("Alder Bridge", top_k=RERANKED).hits[-1].row
    assert searcher.search("the of and?", mode="lexical").hits == ()
    assert PER_ARTICLE > 0


def test_the_setting_puts_it_to_work(parts, assembled, folder):
    service = assembled(parts.settings.data, reranker=str(folder))
    try:
        hits = service.assistant.search("Alder Bridge").result.hits
        assert all(hit.scores.rerank is not None for hit in hits)
    finally:
        service.close()


def test_what_is_no_reranker_is_refused(cross_encoder, folder, tmp_path):
    with pytest.raises(ModelRefused, match=r"the reranker 'nowhere' has no nowhere/model\.safetensors; name a folder"):
        load_reranker("nowhere")
    with pytest.raises(ModelRefused, match="gives 3 scores for a pair; expected one"):
        load_reranker(str(cross_encoder("three", labels=3)))
    code = shutil.copytree(folder, tmp_path / "code")
    (code / "modeling_evil.py").write_text("raise SystemExit")
    with pytest.raises(ModelRefused, match=r"holds code \(modeling_evil\.py\)"):
        load_reranker(str(code))
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(ModelRefused, match="cannot be loaded"):
        load_reranker(str(broken))
    other = shutil.copytree(folder, tmp_path / "other")
    (other / "config.json").write_text(json.dumps({"model_type": "nonsense"}))
    with pytest.raises(ModelRefused, match="cannot be loaded"):
        load_reranker(str(other))
